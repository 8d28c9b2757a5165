#pragma once

// What the programs that time training steps have in common: models, operations, images.

#include "arguments.hpp"

#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

namespace benchmarks {

inline constexpr mae::image_extent cifar10{.height = 32, .width = 32, .channels = 3};

inline constexpr mae::model_config tiny4{.image = cifar10,
                                         .patch = {.height = 4, .width = 4},
                                         .encoder = {.depth = 12, .width = 192, .heads = 3},
                                         .decoder = {.depth = 2, .width = 96, .heads = 3}};
inline constexpr mae::model_config tiny2{.image = cifar10,
                                         .patch = {.height = 2, .width = 2},
                                         .encoder = {.depth = 12, .width = 192, .heads = 3},
                                         .decoder = {.depth = 4, .width = 192, .heads = 3}};
inline constexpr mae::model_config base16{.image = {.height = 224, .width = 224, .channels = 3},
                                          .patch = {.height = 16, .width = 16},
                                          .encoder = {.depth = 12, .width = 768, .heads = 12},
                                          .decoder = {.depth = 8, .width = 512, .heads = 16}};

/// The operations of a step for one image of the plain model: multiply-adds as two, backward as
/// twice forward; norms and activations left out, and what is skipped still counted.
inline double step_flops(mae::model_config const& config) {
  auto const patches = static_cast<double>(config.num_patches());
  auto const values = static_cast<double>(config.patch_values());
  double const visible = static_cast<double>(config.num_patches() / 4) + 1;
  auto const stack = [](mae::stack_config const& s, double tokens) {
    auto const width = static_cast<double>(s.width);
    return static_cast<double>(s.depth) *
           (24 * tokens * width * width + 4 * tokens * tokens * width);
  };
  auto const width = static_cast<double>(config.encoder.width);
  auto const narrow = static_cast<double>(config.decoder.width);
  return 3 * (stack(config.encoder, visible) + stack(config.decoder, patches + 1) +
              2 * patches * values * width + 2 * visible * width * narrow +
              2 * (patches + 1) * narrow * values);
}

inline mae::memory_dataset<std::uint8_t> noise_images(mae::index_t count,
                                                      mae::image_extent extent) {
  mae::random_stream random{mae::stream_key{}};
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * extent.values()));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  return {std::move(pixels), {.extent = extent}};
}

/// Times steps of one model on one backend, and prints the median's JSON line.
template <mae::model_config Config, mae::Backend B>
void measure(arguments const& chosen, B const& backend) {
  auto const images = noise_images(2 * chosen.batch, Config.image);
  mae::autoencoder<Config, mae::uniform_mask<mae::ratio{3, 4}>, B> network({.backend = backend});
  mae::trainer training(
      network, images, {.batch_size = chosen.batch, .steps = 1'000'000, .lr = 1e-4});
  std::vector<double> seconds;
  for (int i = 0; i < chosen.steps + 2; ++i) seconds.push_back(training.step().seconds);
  auto const middle = seconds.begin() + 2 + chosen.steps / 2;  // two steps warm up
  std::nth_element(seconds.begin() + 2, middle, seconds.end());
  double const rate = chosen.batch / *middle;
  std::printf(
      "{\"system\": \"mae %s\", \"config\": \"%s\", \"batch\": %d, \"precision\": \"%s\", "
      "\"threads\": %d, \"images_per_second\": %.1f, \"gflops\": %.1f}\n",
      B::name(),
      chosen.config.c_str(),
      chosen.batch,
      chosen.precision.c_str(),
      chosen.threads,
      rate,
      step_flops(Config) * rate / 1e9);
}

/// Of the chosen model; false when there is none of that name.
template <mae::Backend B>
bool measure_config(arguments const& chosen, B const& backend) {
  if (chosen.config == "tiny4")
    measure<tiny4>(chosen, backend);
  else if (chosen.config == "tiny2")
    measure<tiny2>(chosen, backend);
  else if (chosen.config == "base16")
    measure<base16>(chosen, backend);
  else
    return false;
  return true;
}

}  // namespace benchmarks
