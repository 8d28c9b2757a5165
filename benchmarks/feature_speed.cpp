// Times an encoder's features: unmasked images in, the mean of their patch tokens out. Prints one
// JSON line with the images a second and the time of a call, the median and the 99th percentile.
//
//   feature_speed --config tiny4|tiny2|base16 --batch N --precision fp32|bf16|int8 --threads N
//     --steps N
#include "arguments.hpp"
#include "models.hpp"
#include "processor.hpp"

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/model/encoder.hpp>
#include <mae/quantised.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace {

std::vector<float> noise_pixels(mae::index_t values) {
  std::vector<float> pixels(static_cast<std::size_t>(values));
  mae::random_stream random{mae::stream_key{}};
  for (float& pixel : pixels) pixel = random.uniform();
  return pixels;
}

template <mae::model_config Config, mae::Backend B>
void measure(benchmarks::arguments const& chosen, B const& backend) {
  mae::encoder<Config, B> const encoder(0, backend);
  auto const pixels = noise_pixels(chosen.batch * Config.image.values());
  std::vector<double> seconds;
  for (int i = -2; i < chosen.steps; ++i) {  // two calls warm up
    auto const start = std::chrono::steady_clock::now();
    auto const features = encoder.features(pixels, mae::pooling::mean);
    std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
    if (i >= 0) seconds.push_back(time.count());
  }
  std::ranges::sort(seconds);
  double const median = seconds[seconds.size() / 2];
  double const slow = seconds[(seconds.size() * 99) / 100];
  std::printf(
      "{\"system\": \"mae %s\", \"config\": \"%s\", \"batch\": %d, \"precision\": \"%s\", "
      "\"threads\": %d, \"images_per_second\": %.1f, \"gflops\": %.1f, \"p50_ms\": %.2f, "
      "\"p99_ms\": %.2f}\n",
      B::name(),
      chosen.config.c_str(),
      chosen.batch,
      chosen.precision.c_str(),
      chosen.threads,
      chosen.batch / median,
      benchmarks::encoder_flops(Config) * chosen.batch / median / 1e9,
      1e3 * median,
      1e3 * slow);
}

}  // namespace

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv, "int8");
  auto const run = [&](auto config, auto const& backend) {
    measure<decltype(config)::value>(chosen, backend);
  };
  if (chosen.precision != "int8") return benchmarks::run_on_processor(chosen, run);
  return benchmarks::run_on(chosen, mae::quantised_backend(chosen.threads), run);
}
