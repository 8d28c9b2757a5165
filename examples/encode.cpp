// Turns images into features with a trained encoder: encode [encoder.safetensors]
#include <mae/mae.hpp>

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
  for (std::size_t i = 0; i < features.size(); i += small.encoder.width)
    std::cout << features[i] << ' ' << features[i + 1] << ' ' << features[i + 2] << " ...\n";
}
