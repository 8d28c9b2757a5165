// Turns images into features with a trained encoder: encode [encoder.safetensors]
// Checks that images differ in them.
#include <mae/mae.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>

constexpr mae::model_config small{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 4, .width = 96, .heads = 3},
    .decoder = {.depth = 1, .width = 64, .heads = 2},
};

int main(int argc, char** argv) {
  // [encode]
  auto const encoder = mae::load_encoder<small>(argc > 1 ? argv[1] : "encoder.safetensors");
  mae::synthetic_dataset const images(8, /*seed=*/2);
  auto const features = encoder.features(images, mae::pooling::mean);  // (8, 96)
  // [/encode]
  constexpr std::size_t width = small.encoder.width;
  for (std::size_t i = 0; i < features.size(); i += width)
    std::cout << features[i] << ' ' << features[i + 1] << ' ' << features[i + 2] << " ...\n";
  bool const are_numbers =
      std::ranges::all_of(features, [](float value) { return std::isfinite(value); });
  bool const differ =
      !std::equal(features.begin(), features.begin() + width, features.begin() + width);
  return features.size() == 8 * width && are_numbers && differ ? 0 : 1;
}
