// expect: changed.update(all, images)
#include <mae/mae.hpp>

#include <array>
#include <span>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

/// Tells a gradient that nobody would take.
struct forgetful_mask : mae::uniform_mask<mae::ratio{3, 4}> {
  static constexpr std::array state_names{"place"};
  float place = 0;

  mae::index_t num_sums() const { return 1; }
  void add_gradient(mae::mask_feedback const&, std::span<double>) const {}
  std::span<float const> state(std::size_t) const { return {&place, 1}; }
  std::span<float> state(std::size_t) { return {&place, 1}; }
};

void train(mae::synthetic_dataset const& images) {
  mae::autoencoder<config, forgetful_mask> model;
  mae::trainer training(model, images, {.batch_size = 8});
  training.run();
}
