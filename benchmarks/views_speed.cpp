// Times whole training steps of two views, both encoded at 75%, the first of them painted, compared
// by InfoNCE: data, augmentation, masks, forward, backward and AdamW. Prints one JSON line with the
// median step.
//
//   views_speed --config tiny4|tiny2|base16 --batch N --precision fp32|bf16 --threads N --steps N
#include "arguments.hpp"
#include "processor.hpp"
#include "step_speed.hpp"

#include <mae/head/contrast.hpp>
#include <mae/objective/pixels.hpp>

namespace {

/// Multiply-adds as two operations, backward as twice forward, each view encoded once.
double flops_of(mae::model_config const& config) {
  mae::projector const part{.encoder_width = config.encoder.width};
  auto const weights = static_cast<double>(part.hidden * (part.encoder_width + part.outputs));
  return benchmarks::step_flops(config) + benchmarks::encoder_step_flops(config) +
         2 * 3 * 2 * weights;
}

template <mae::model_config Config, mae::Backend B>
void measure_views(benchmarks::arguments const& chosen, B const& backend) {
  auto const images = benchmarks::noise_images(2 * chosen.batch, Config.image);
  mae::autoencoder<Config,
                   mae::uniform_mask<mae::ratio{3, 4}>,
                   B,
                   mae::normalised_pixels,
                   mae::contrast>
      network({.backend = backend, .head_weights = {1, 0.3}});
  mae::trainer training(
      network,
      images,
      {.batch_size = chosen.batch, .views = 2, .painted_views = 1, .steps = 1'000'000, .lr = 1e-4});
  benchmarks::print_steps(chosen, B::name(), training, flops_of(Config));
}

}  // namespace

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  return benchmarks::run_on_processor(chosen, [&](auto config, auto const& backend) {
    measure_views<decltype(config)::value>(chosen, backend);
  });
}
