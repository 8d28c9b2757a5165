// expect: mask.num_sums()
#include <mae/mae.hpp>

#include <span>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

/// Has weights that nobody would ask for.
struct weighing_mask : mae::uniform_mask<mae::ratio{3, 4}> {
  bool weighs_targets() const { return true; }
  void weigh(mae::mask_context const&, std::span<mae::patch_index const>, std::span<float>) const {}
};

void train(mae::synthetic_dataset const& images) {
  mae::autoencoder<config, weighing_mask> model;
  mae::trainer training(model, images, {.batch_size = 8});
  training.run();
}
