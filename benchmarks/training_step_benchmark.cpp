// How many images a second whole training steps take: data, masks, forward, backward and AdamW.
#include <mae/mae.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace {

constexpr mae::model_config tiny4{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

mae::memory_dataset<std::uint8_t> noise_images(mae::index_t count) {
  mae::random_stream random{mae::stream_key{}};
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * tiny4.image.values()));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  return {std::move(pixels), {.extent = tiny4.image}};
}

/// Arguments: batch size, threads.
void training_step(benchmark::State& state) {
  auto const images = noise_images(2 * state.range(0));
  auto const threads = static_cast<int>(state.range(1));
  mae::autoencoder<tiny4> network({.backend = mae::eigen_backend<float>(threads)});
  mae::trainer training(
      network, images, {.batch_size = state.range(0), .steps = 1'000'000, .clip = 1.0});
  training.step();  // allocates
  for (auto _ : state) benchmark::DoNotOptimize(training.step().loss);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace

BENCHMARK(training_step)
    ->ArgNames({"batch", "threads"})
    ->Args({256, 1})
    ->Args({256, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
