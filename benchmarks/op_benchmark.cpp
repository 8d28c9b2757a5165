// How fast each op of a block is on one core, at the sizes of the models: those that multiply
// beside what the core can multiply ("ceiling"), the others in bytes a second.
#include "ceiling.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/random.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/carver.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/gelu.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/rule.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <vector>

namespace {

using mae::index_t;

constexpr index_t shard_rows = 256;  // as training cuts batches for the processor

template <class T>
class matrix {
 public:
  matrix(index_t rows, index_t cols) : matrix(rows, cols, cols) {}
  matrix(index_t rows, index_t cols, index_t stride)
      : values_(rows * stride), rows_(rows), cols_(cols), stride_(stride) {
    mae::random_stream random{mae::stream_key{}};
    for (T& value : values_.span())
      value = static_cast<T>(static_cast<float>(0.1 * random.normal()));
  }
  mae::matrix_view<T> view() { return {values_.data(), rows_, cols_, stride_}; }

 private:
  mae::host_buffer<T> values_;
  index_t rows_;
  index_t cols_;
  index_t stride_;
};

/// What products read and write, as training lays it.
template <class T>
struct activations : matrix<T> {
  activations(index_t rows, index_t cols) : matrix<T>(rows, cols, mae::operand_stride<T>(cols)) {}
};

/// A linear layer's parameters as products read them, and its gradients.
template <class Operand>
struct layer {
  using lane = mae::eigen_lane<Operand>;

  layer(index_t in, index_t out)
      : weight(out, in),
        forward(lane::packed_cells(in, out)),
        backward(lane::packed_cells(out, in)),
        bias(1, out),
        weight_grad(out, in),
        bias_grad(1, out) {}

  mae::linear_operands<lane> operands() {
    return {lane{}.pack_transposed(weight.view(), forward.data()),
            lane{}.pack(weight.view(), backward.data()),
            bias.view().row(0)};
  }
  mae::linear_weights<float> gradients() { return {weight_grad.view(), bias_grad.view().row(0)}; }

  matrix<float> weight;
  mae::host_buffer<typename lane::cell> forward;
  mae::host_buffer<typename lane::cell> backward;
  matrix<float> bias;
  matrix<float> weight_grad;
  matrix<float> bias_grad;
};

/// Operations a second, and their share of what one core can do.
template <class Operand>
void report_operations(benchmark::State& state, double operations) {
  static double const ceiling = benchmarks::measure_ceiling<Operand>(1);
  using counter = benchmark::Counter;
  double const done = operations * static_cast<double>(state.iterations());
  state.counters["flops"] = counter(done, counter::kIsRate);
  state.counters["ceiling"] = counter(done / ceiling, counter::kIsRate);
}

void report_bytes(benchmark::State& state, index_t values) {
  state.SetBytesProcessed(state.iterations() * values * static_cast<index_t>(sizeof(float)));
}

double product(index_t rows, index_t depth, index_t cols) {
  return 2.0 * static_cast<double>(rows * depth * cols);
}

/// Arguments: inputs, outputs.
template <class Operand>
void linear(benchmark::State& state) {
  index_t const in = state.range(0);
  index_t const out = state.range(1);
  mae::eigen_lane<Operand> const lane;
  layer<Operand> weights(in, out);
  activations<Operand> x(shard_rows, in);
  activations<Operand> y(shard_rows, out);
  auto const operands = weights.operands();
  for (auto _ : state) mae::linear_forward(lane, x.view(), operands, y.view());
  report_operations<Operand>(state, product(shard_rows, in, out));
}

template <class Operand>
void linear_with_gelu(benchmark::State& state) {
  index_t const in = state.range(0);
  index_t const out = state.range(1);
  mae::eigen_lane<Operand> const lane;
  layer<Operand> weights(in, out);
  activations<Operand> x(shard_rows, in);
  activations<Operand> y(shard_rows, out);
  activations<Operand> slope(shard_rows, out);
  auto const operands = weights.operands();
  for (auto _ : state) mae::linear_gelu_forward(lane, x.view(), operands, y.view(), slope.view());
  report_operations<Operand>(state, product(shard_rows, in, out));
}

/// The gradients of inputs, weights and bias.
template <class Operand>
void linear_backward(benchmark::State& state) {
  index_t const in = state.range(0);
  index_t const out = state.range(1);
  mae::eigen_lane<Operand> const lane;
  layer<Operand> weights(in, out);
  activations<Operand> x(shard_rows, in);
  activations<Operand> y_grad(shard_rows, out);
  activations<float> x_grad(shard_rows, in);
  auto const operands = weights.operands();
  for (auto _ : state)
    mae::linear_backward(
        lane, x.view(), operands, y_grad.view(), x_grad.view(), weights.gradients());
  report_operations<Operand>(state, 2 * product(shard_rows, in, out));
}

/// Images of equal length that fill a shard.
struct sequences {
  index_t tokens;
  index_t heads;
  index_t width;

  explicit sequences(benchmark::State const& state)
      : tokens(state.range(0)), heads(state.range(1)), width(state.range(2)) {}

  index_t images() const { return std::max<index_t>(1, shard_rows / tokens); }
  index_t rows() const { return images() * tokens; }
  std::vector<index_t> starts() const {
    std::vector<index_t> all;
    for (index_t i = 0; i <= images(); ++i) all.push_back(i * tokens);
    return all;
  }
  mae::attention_extent extent() const { return {rows(), tokens, heads, width / heads}; }
  /// Of so many products of an image's queries and keys, all heads together.
  double operations(double products) const {
    return products * static_cast<double>(images()) * product(tokens, width, tokens);
  }
};

/// Arguments: tokens of an image, heads, width of all heads.
template <class Operand>
void attention(benchmark::State& state) {
  using lane_type = mae::eigen_lane<Operand>;
  lane_type const lane;
  sequences const all(state);
  auto const starts = all.starts();
  activations<Operand> qkv(all.rows(), 3 * all.width);
  activations<Operand> y(all.rows(), all.width);
  matrix<float> log_sums(all.rows(), all.heads);
  mae::host_buffer<float> scratch(mae::attention_scratch_size<lane_type>(all.extent()));
  for (auto _ : state)
    mae::attention_forward(
        lane, qkv.view(), starts, all.heads, y.view(), log_sums.view(), scratch.span());
  report_operations<Operand>(state, all.operations(2));
}

template <class Operand>
void attention_backward(benchmark::State& state) {
  using lane_type = mae::eigen_lane<Operand>;
  lane_type const lane;
  sequences const all(state);
  auto const starts = all.starts();
  activations<Operand> qkv(all.rows(), 3 * all.width);
  activations<Operand> y(all.rows(), all.width);
  activations<Operand> qkv_grad(all.rows(), 3 * all.width);
  matrix<float> log_sums(all.rows(), all.heads);
  mae::host_buffer<float> scratch(mae::attention_scratch_size<lane_type>(all.extent()));
  mae::attention_forward(
      lane, qkv.view(), starts, all.heads, y.view(), log_sums.view(), scratch.span());
  for (auto _ : state)
    mae::attention_backward(lane,
                            qkv.view(),
                            starts,
                            all.heads,
                            log_sums.view(),
                            y.view(),
                            qkv_grad.view(),
                            scratch.span());
  report_operations<Operand>(state, all.operations(5));
}

/// Argument: the width of a row.
void layer_norm(benchmark::State& state) {
  index_t const width = state.range(0);
  mae::eigen_lane<float> const lane;
  matrix<float> x(shard_rows, width);
  matrix<float> y(shard_rows, width);
  matrix<float> weights(2, width);
  matrix<float> statistics(shard_rows, 2);
  for (auto _ : state)
    mae::layer_norm_forward(lane,
                            x.view(),
                            {weights.view().row(0), weights.view().row(1)},
                            1e-6F,
                            y.view(),
                            statistics.view());
  report_bytes(state, 2 * shard_rows * width);
}

void layer_norm_backward(benchmark::State& state) {
  index_t const width = state.range(0);
  mae::eigen_lane<float> const lane;
  matrix<float> x(shard_rows, width);
  matrix<float> y_grad(shard_rows, width);
  matrix<float> x_grad(shard_rows, width);
  matrix<float> weights(2, width);
  matrix<float> weights_grad(2, width);
  matrix<float> statistics(shard_rows, 2);
  for (auto _ : state)
    mae::layer_norm_backward(lane,
                             x.view(),
                             {weights.view().row(0), weights.view().row(1)},
                             statistics.view(),
                             y_grad.view(),
                             x_grad.view(),
                             {weights_grad.view().row(0), weights_grad.view().row(1)});
  report_bytes(state, 4 * shard_rows * width);
}

/// Argument: the values of a patch.
void masked_loss(benchmark::State& state) {
  index_t const values = state.range(0);
  mae::eigen_lane<float> const lane;
  matrix<float> prediction(shard_rows, values);
  matrix<float> target(shard_rows, values);
  matrix<float> grad(shard_rows, values);
  std::vector<float> losses(shard_rows);
  for (auto _ : state) {
    mae::patch_loss_forward(lane, {}, prediction.view(), target.view(), losses);
    mae::patch_loss_backward(lane, {}, prediction.view(), target.view(), grad.view());
  }
  report_bytes(state, 5 * shard_rows * values);
}

/// Argument: the number of parameters.
void adamw(benchmark::State& state) {
  index_t const count = state.range(0);
  mae::eigen_lane<float> const lane;
  matrix<float> values(1, count);
  matrix<float> first(1, count);
  matrix<float> gradients(1, count);
  mae::host_buffer<float> second(count);
  std::array<float*, 2> const states{first.view().data, second.data()};
  auto const element = mae::adamw{}.element(
      mae::update_moment{.step = 9, .lr = 1e-3, .decays = true},
      mae::update_arrays<float>{
          .values = values.view().data, .gradients = gradients.view().data, .states = states});
  for (auto _ : state) lane.for_each(count, element);
  report_bytes(state, 7 * count);
}

/// The two widths of encoders, with an MLP's and the queries', keys' and values' outputs.
void layers(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"in", "out"});
  for (index_t const width : {192, 768}) {
    benchmark->Args({width, 3 * width});
    benchmark->Args({width, 4 * width});
    benchmark->Args({4 * width, width});
  }
}

/// Encoder and decoder of tiny4, encoder and decoder of base16.
void sequences_of_models(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"tokens", "heads", "width"})
      ->Args({17, 3, 192})
      ->Args({65, 3, 96})
      ->Args({50, 12, 768})
      ->Args({197, 16, 512});
}

}  // namespace

BENCHMARK_TEMPLATE(linear, float)->Apply(layers);
BENCHMARK_TEMPLATE(linear, mae::bfloat16)->Apply(layers);
BENCHMARK_TEMPLATE(linear_with_gelu, float)
    ->ArgNames({"in", "out"})
    ->Args({192, 768})
    ->Args({768, 3072});
BENCHMARK_TEMPLATE(linear_with_gelu, mae::bfloat16)
    ->ArgNames({"in", "out"})
    ->Args({192, 768})
    ->Args({768, 3072});
BENCHMARK_TEMPLATE(linear_backward, float)->Apply(layers);
BENCHMARK_TEMPLATE(linear_backward, mae::bfloat16)->Apply(layers);
BENCHMARK_TEMPLATE(attention, float)->Apply(sequences_of_models);
BENCHMARK_TEMPLATE(attention, mae::bfloat16)->Apply(sequences_of_models);
BENCHMARK_TEMPLATE(attention_backward, float)->Apply(sequences_of_models);
BENCHMARK_TEMPLATE(attention_backward, mae::bfloat16)->Apply(sequences_of_models);
BENCHMARK(layer_norm)->ArgName("width")->Arg(192)->Arg(768);
BENCHMARK(layer_norm_backward)->ArgName("width")->Arg(192)->Arg(768);
BENCHMARK(masked_loss)->ArgName("values")->Arg(48)->Arg(768);
BENCHMARK(adamw)->ArgName("parameters")->Arg(192 * 768)->Arg(768 * 3072);
