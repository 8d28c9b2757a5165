#pragma once

// What the programs that time training steps have in common.

#include "arguments.hpp"
#include "models.hpp"

#include <mae/core/config.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace benchmarks {

/// Takes steps of a training, and prints the median's JSON line; `flops` are a step's for one
/// image.
template <class Trainer>
void print_steps(arguments const& chosen, char const* system, Trainer& training, double flops) {
  std::vector<double> seconds;
  for (int i = 0; i < chosen.steps + 2; ++i) seconds.push_back(training.step().seconds);
  auto const middle = seconds.begin() + 2 + chosen.steps / 2;  // two steps warm up
  std::nth_element(seconds.begin() + 2, middle, seconds.end());
  double const rate = chosen.batch / *middle;
  std::printf(
      "{\"system\": \"mae %s\", \"config\": \"%s\", \"batch\": %d, \"precision\": \"%s\", "
      "\"threads\": %d, \"images_per_second\": %.1f, \"gflops\": %.1f}\n",
      system,
      chosen.config.c_str(),
      chosen.batch,
      chosen.precision.c_str(),
      chosen.threads,
      rate,
      flops * rate / 1e9);
}

/// Times steps of one model on one backend, and prints the median's JSON line.
template <mae::model_config Config, mae::Backend B>
void measure(arguments const& chosen, B const& backend) {
  auto const images = noise_images(2 * chosen.batch, Config.image);
  mae::autoencoder<Config, mae::uniform_mask<mae::ratio{3, 4}>, B> network({.backend = backend});
  mae::trainer training(
      network, images, {.batch_size = chosen.batch, .steps = 1'000'000, .lr = 1e-4});
  print_steps(chosen, B::name(), training, step_flops(Config));
}

/// Of the chosen model; false when there is none of that name.
template <mae::Backend B>
bool measure_config(arguments const& chosen, B const& backend) {
  return with_config(chosen.config,
                     [&](auto config) { measure<decltype(config)::value>(chosen, backend); });
}

}  // namespace benchmarks
