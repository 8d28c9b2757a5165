// expect: exchange.swap(partner, sent, received)
#include <mae/mae.hpp>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

struct silent_exchange {
  static int rank() { return 0; }
  static int ranks() { return 2; }
};

void train(mae::autoencoder<config>& model, mae::synthetic_dataset const& images) {
  mae::trainer<mae::autoencoder<config>, mae::synthetic_dataset, mae::adamw, silent_exchange>
      training(model, images, {.batch_size = 8});
  training.run();
}
