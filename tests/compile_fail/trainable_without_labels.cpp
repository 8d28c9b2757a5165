// expect: of.label_makers()
#include <mae/mae.hpp>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

using backend = mae::eigen_backend<float>;
using no_heads = mae::sized_model<mae::uniform_mask<>, backend, mae::painter>;  // makes no labels

void train(no_heads& model, mae::synthetic_dataset const& images) {
  mae::trainer<no_heads, mae::synthetic_dataset> training(model, images, {.batch_size = 8});
  training.run();
}
