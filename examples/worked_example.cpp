// Composes a masked autoencoder, trains it for a moment, and keeps its encoder. Checks that it
// learned, and that the file holds what was saved.
#include <mae/mae.hpp>

#include <iostream>

// [compose]
constexpr mae::model_config small{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 4, .width = 96, .heads = 3},
    .decoder = {.depth = 1, .width = 64, .heads = 2},
};
using model = mae::autoencoder<small, mae::uniform_mask<mae::ratio{3, 4}>>;
static_assert(model::num_patches == 64);
static_assert(model::mask_type{}.max_visible(model::num_patches) == 16);
// [/compose]

int main() {
  // [train]
  mae::synthetic_dataset const images(2'000, /*seed=*/1);  // or mae::load_cifar10(folder, ...)
  model network({.seed = 1});
  mae::trainer training(network, images, {.batch_size = 64, .steps = 40, .warmup_epochs = 0.2});
  training.run({.on_step = [](mae::step_report const& report) {
    if (report.step % 10 == 0)
      std::cout << "step " << report.step << "  loss " << report.loss
                << "  (predicting zero: " << report.baseline << ")\n";
  }});
  mae::save_encoder("encoder.safetensors", network);
  // [/train]
  auto const [loss, baseline] = mae::evaluate_heldout(network, images, 256);
  auto const kept = mae::encoder_of(network);
  auto const read = mae::load_encoder<small>("encoder.safetensors");
  mae::synthetic_dataset const others(8, /*seed=*/2);
  bool const is_kept =
      read.features(others, mae::pooling::mean) == kept.features(others, mae::pooling::mean);
  return loss < baseline && is_kept ? 0 : 1;
}
