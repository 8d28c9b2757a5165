// How many images a second whole training steps take: data, masks, forward, backward and AdamW; and
// what their products are beside what the cores can multiply ("ceiling").
#include "ceiling.hpp"
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/config.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/trainer.hpp>

#include <benchmark/benchmark.h>

namespace {

/// Arguments: batch size, threads.
template <mae::model_config Config, class Operand>
void training_step(benchmark::State& state) {
  auto const images = benchmarks::noise_images(2 * state.range(0), Config.image);
  auto const threads = static_cast<int>(state.range(1));
  double const ceiling = benchmarks::measure_ceiling<Operand>(threads);
  using backend = mae::eigen_backend<Operand>;
  mae::autoencoder<Config, mae::uniform_mask<mae::ratio{3, 4}>, backend> network(
      {.backend = backend(threads)});
  mae::trainer training(
      network, images, {.batch_size = state.range(0), .steps = 1'000'000, .clip = 1.0});
  training.step();  // allocates
  for (auto _ : state) benchmark::DoNotOptimize(training.step().loss);
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["ceiling"] =
      benchmark::Counter(benchmarks::step_flops(Config) / ceiling *
                             static_cast<double>(state.iterations() * state.range(0)),
                         benchmark::Counter::kIsRate);
}

constexpr auto tiny4 = benchmarks::tiny4;
constexpr auto tiny2 = benchmarks::tiny2;
constexpr auto base16 = benchmarks::base16;
using mae::bfloat16;

}  // namespace

#define MAE_BENCHMARK_STEPS(config, operand)         \
  BENCHMARK_TEMPLATE(training_step, config, operand) \
      ->ArgNames({"batch", "threads"})               \
      ->Unit(benchmark::kMillisecond)                \
      ->UseRealTime()

MAE_BENCHMARK_STEPS(tiny4, float)->Args({256, 1})->Args({256, 2});
MAE_BENCHMARK_STEPS(tiny4, bfloat16)->Args({256, 2});
MAE_BENCHMARK_STEPS(tiny2, float)->Args({64, 2});
MAE_BENCHMARK_STEPS(tiny2, bfloat16)->Args({64, 2});
MAE_BENCHMARK_STEPS(base16, float)->Args({8, 2});
MAE_BENCHMARK_STEPS(base16, bfloat16)->Args({8, 2});
