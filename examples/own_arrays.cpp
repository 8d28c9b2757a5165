// Trains on arrays of one's own: grey images of 24 by 16 pixels, as floats. Checks that it learns
// them.
#include <mae/mae.hpp>

#include <cmath>
#include <iostream>
#include <utility>
#include <vector>

constexpr mae::model_config waves{
    .image = {.height = 24, .width = 16, .channels = 1},
    .patch = {.height = 6, .width = 4},
    .encoder = {.depth = 2, .width = 48, .heads = 4},
    .decoder = {.depth = 1, .width = 32, .heads = 4},
};

int main() {
  // [arrays]
  constexpr int count = 600;
  std::vector<float> pixels;  // (n, H, W, C), any H, W and C; std::uint8_t works as well
  for (int image = 0; image < count; ++image)
    for (int row = 0; row < 24; ++row)
      for (int column = 0; column < 16; ++column)
        pixels.push_back(std::sin(0.1F * static_cast<float>(image + 4 * row + 9 * column)));

  mae::memory_dataset<float> const images(std::move(pixels), {.extent = waves.image});
  mae::autoencoder<waves, mae::uniform_mask<>> network({.mask = mae::uniform_mask<>(0.6)});
  mae::trainer training(
      network, images, {.batch_size = 20, .epochs = 8, .lr = 2e-3, .augment = {.flip = false}});
  // [/arrays]
  bool learns = false;
  training.run({.on_epoch = [&](mae::epoch_report const& report) {
    std::cout << "epoch " << report.epoch << "  loss " << report.loss
              << "  (predicting zero: " << report.baseline << ")\n";
    learns = report.loss < report.baseline;
  }});
  return learns ? 0 : 1;
}
