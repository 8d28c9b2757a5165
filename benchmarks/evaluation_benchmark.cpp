// How long a linear probe and the nearest neighbours take on an encoder's features, and the
// features.
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/eval/knn.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_probe.hpp>
#include <mae/model/encoder.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using mae::index_t;

constexpr index_t width = 192;
constexpr index_t classes = 10;
constexpr index_t training_images = 5'000;
constexpr index_t test_images = 1'000;

class labelled_noise {
 public:
  explicit labelled_noise(index_t images)
      : values_(static_cast<std::size_t>(images * width)), images_(images) {
    mae::random_stream random{{.index = static_cast<std::uint64_t>(images)}};
    for (float& value : values_) value = static_cast<float>(random.normal());
    for (index_t i = 0; i < images; ++i) labels_.push_back(i % classes);
  }
  mae::labelled_features view() const { return {{values_.data(), images_, width}, labels_}; }

 private:
  std::vector<float> values_;
  std::vector<index_t> labels_;
  index_t images_;
};

void knn(benchmark::State& state) {
  mae::eigen_backend<float> backend;
  labelled_noise const train(training_images);
  labelled_noise const test(test_images);
  for (auto _ : state)
    benchmark::DoNotOptimize(mae::knn_top1(backend, train.view(), test.view(), classes));
  state.SetItemsProcessed(state.iterations() * test_images);
}

void linear_probe_epoch(benchmark::State& state) {
  mae::eigen_backend<float> backend;
  labelled_noise const train(training_images);
  labelled_noise const test(test_images);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        mae::linear_probe(backend, train.view(), test.view(), classes, {.epochs = 1}).top1);
  state.SetItemsProcessed(state.iterations() * training_images);
}

template <mae::model_config Config>
void features(benchmark::State& state) {
  mae::encoder<Config> const encoder;
  auto const images = benchmarks::noise_images(state.range(0), Config.image);
  for (auto _ : state) benchmark::DoNotOptimize(encoder.features(images, mae::pooling::mean));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

constexpr auto tiny4 = benchmarks::tiny4;
constexpr auto base16 = benchmarks::base16;

}  // namespace

BENCHMARK(knn)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(linear_probe_epoch)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_TEMPLATE(features, tiny4)
    ->ArgName("images")
    ->Arg(1)
    ->Arg(256)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_TEMPLATE(features, base16)
    ->ArgName("images")
    ->Arg(1)
    ->Arg(16)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
