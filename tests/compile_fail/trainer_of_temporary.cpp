// expect: must_outlive_the_trainer
#include <mae/mae.hpp>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

void train(mae::autoencoder<config>& model) {
  mae::trainer training(model, mae::synthetic_dataset(64, 1), {.batch_size = 8});
  training.run();
}
