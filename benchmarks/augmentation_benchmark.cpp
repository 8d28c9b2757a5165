// How many images a second one core crops, resizes and mirrors.
#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/resize.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

/// Argument: the side of an image.
void augment(benchmark::State& state, mae::interpolation kind) {
  mae::image_extent const extent{.height = state.range(0), .width = state.range(0), .channels = 3};
  mae::augmenter vary(extent, {.kind = kind});
  std::vector<float> source(static_cast<std::size_t>(extent.values()));
  mae::random_stream noise{mae::stream_key{}};
  for (float& value : source) value = noise.uniform();
  std::vector<float> result(source.size());
  std::uint64_t image = 0;
  for (auto _ : state) {
    mae::random_stream random({.use = mae::purpose::augment, .index = image++});
    vary(source, random, result);
    benchmark::DoNotOptimize(result.data());
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

BENCHMARK_CAPTURE(augment, bicubic, mae::interpolation::bicubic)
    ->ArgName("side")
    ->Arg(32)
    ->Arg(224);
BENCHMARK_CAPTURE(augment, bilinear, mae::interpolation::bilinear)
    ->ArgName("side")
    ->Arg(32)
    ->Arg(224);
