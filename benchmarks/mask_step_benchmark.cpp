// What a mask that asks the network for its slopes costs, of a whole training step: processor time
// of steps with it and with the uniform one, in turns.
//
// mae_benchmarks --benchmark_filter=mask_step --benchmark_enable_random_interleaving=true
//   --benchmark_repetitions=15 --benchmark_report_aggregates_only=true
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/mask/gate.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/trainer.hpp>

#include <benchmark/benchmark.h>

namespace {

constexpr mae::index_t batch = 64;

template <class Mask>
void mask_step(benchmark::State& state, Mask const& mask) {
  auto const images = benchmarks::noise_images(2 * batch, benchmarks::tiny4.image);
  mae::autoencoder<benchmarks::tiny4, Mask> network(
      {.mask = mask, .backend = mae::eigen_backend<float>(1)});
  mae::trainer training(network, images, {.batch_size = batch, .steps = 1'000'000});
  for (int i = 0; i < 2; ++i) training.step();  // allocates, and has something to learn
  for (auto _ : state) benchmark::DoNotOptimize(training.step().loss);
  state.SetItemsProcessed(state.iterations() * batch);
}

}  // namespace

BENCHMARK_CAPTURE(mask_step, uniform, mae::uniform_mask<mae::ratio{3, 4}>{})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mask_step, gate, mae::gate_mask(benchmarks::tiny4, {}))
    ->Unit(benchmark::kMillisecond);
