// A painter and a contrastive head on one encoder: of each image two views are drawn and masked,
// the painter paints both, and contrast tells the views of one image from those of all others.
// Checks that it does better than chance.
#include <mae/heads.hpp>
#include <mae/mae.hpp>

#include <cmath>
#include <iostream>

constexpr mae::model_config small{.image = {.height = 16, .width = 16, .channels = 3},
                                  .patch = {.height = 4, .width = 4},
                                  .encoder = {.depth = 2, .width = 32, .heads = 4},
                                  .decoder = {.depth = 1, .width = 32, .heads = 4}};

int main() {
  // [views]
  using model = mae::autoencoder<small,
                                 mae::uniform_mask<mae::ratio{3, 4}>,
                                 mae::eigen_backend<float>,
                                 mae::normalised_pixels,
                                 mae::contrast>;
  model network({.heads = {mae::contrast{.temperature = 0.2}},
                 .head_weights = {1, 0.3}});  // the painter's, and that of contrast
  mae::synthetic_dataset const images(640, 1, small.image);
  mae::trainer training(network, images, {.batch_size = 64, .views = 2, .epochs = 8, .lr = 2e-3});
  double contrast = 0;
  training.run({.on_step = [&](mae::step_report const& report) {
    contrast = report.heads[1].loss;
    if (report.ends_epoch)
      std::cout << "painter " << report.heads[0].loss << "  contrast " << contrast << "\n";
  }});
  mae::save_encoder("encoder.safetensors", network);  // without painter and projector
  // [/views]
  return contrast < 0.9 * std::log(64.0) ? 0 : 1;
}
