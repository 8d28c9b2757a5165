// A painter and a contrastive head on one encoder: of each image two views are drawn and masked,
// the painter paints both, and contrast tells the views of one image from those of all others.
// Checks that it does better than chance. Then one more epoch, in which gradients that conflict are
// projected.
#include <mae/heads.hpp>
#include <mae/mae.hpp>

#include <cmath>
#include <cstddef>
#include <iostream>

constexpr mae::model_config small{.image = {.height = 16, .width = 16, .channels = 3},
                                  .patch = {.height = 4, .width = 4},
                                  .encoder = {.depth = 2, .width = 32, .heads = 4},
                                  .decoder = {.depth = 1, .width = 32, .heads = 4}};

// [cross]
// The same encoder, whose decoder asks what is visible; beside it heads as above.
using asking_model = mae::cross_autoencoder<small,
                                            mae::uniform_mask<mae::ratio{3, 4}>,
                                            mae::eigen_backend<float>,
                                            mae::normalised_pixels,
                                            mae::contrast>;
static_assert(mae::Trainable<asking_model>);
// [/cross]

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
  // [meeting]
  mae::training_options const options{.batch_size = 64,
                                      .views = 2,
                                      .epochs = 1,
                                      .lr = 5e-4,
                                      .warmup_epochs = 0,
                                      .conflicts = mae::conflict_rule::project,
                                      .record_gradients = 5};
  mae::trainer projecting(network, images, options);
  projecting.run({.on_step = [](mae::step_report const& report) {
    if (report.gradients == nullptr) return;  // of every fifth step
    std::cout << "step " << report.step << ", cosines of painter and contrast by depth:";
    for (std::size_t depth = 0; depth < report.gradients->depths; ++depth)
      std::cout << " " << report.gradients->cosine(depth, 0, 1);
    std::cout << "\n";
  }});
  // [/meeting]
  return contrast < 0.9 * std::log(64.0) ? 0 : 1;
}
