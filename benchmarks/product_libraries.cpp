// A linear layer's product (weights packed beforehand, bias) on one core, by mae's tiles, by oneDNN
// and by BLIS (float, without the bias), beside what the core can multiply ("ceiling").
// docs/notebook.md says what came of it. The libraries obey OMP_NUM_THREADS: set it to 1.
#include "ceiling.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/carver.hpp>
#include <mae/op/linear.hpp>

#include <benchmark/benchmark.h>
#include <blis.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace {

using mae::index_t;

constexpr index_t rows = 256;  // as training cuts batches for the processor

/// The arguments of a benchmark: inputs and outputs of the layer.
struct sizes {
  index_t in;
  index_t out;

  explicit sizes(benchmark::State const& state) : in(state.range(0)), out(state.range(1)) {}
};

template <class T>
mae::host_buffer<T> filled(index_t size, float value) {
  mae::host_buffer<T> buffer(size);
  std::ranges::fill(buffer.span(), static_cast<T>(value));
  return buffer;
}

template <class Operand>
void report(benchmark::State& state, sizes layer) {
  double const ceiling = benchmarks::measure_ceiling<Operand>(1);
  using counter = benchmark::Counter;
  double const done = 2.0 * static_cast<double>(rows * layer.in * layer.out) *
                      static_cast<double>(state.iterations());
  state.counters["flops"] = counter(done, counter::kIsRate);
  state.counters["ceiling"] = counter(done / ceiling, counter::kIsRate);
}

template <class Operand>
void tiles(benchmark::State& state) {
  using lane_type = mae::eigen_lane<Operand>;
  sizes const layer(state);
  lane_type const lane;
  auto weight = filled<float>(layer.out * layer.in, 0.01F);
  mae::host_buffer<typename lane_type::cell> packed(lane_type::packed_cells(layer.in, layer.out));
  auto bias = filled<float>(layer.out, 0.1F);
  index_t const x_stride = mae::operand_stride<Operand>(layer.in);
  index_t const y_stride = mae::operand_stride<Operand>(layer.out);
  mae::host_buffer<Operand> x_values(rows * x_stride);
  mae::host_buffer<Operand> y_values(rows * y_stride);
  mae::matrix_view<Operand> const x{x_values.data(), rows, layer.in, x_stride};
  mae::matrix_view<Operand> const y{y_values.data(), rows, layer.out, y_stride};
  for (index_t row = 0; row < rows; ++row)
    std::ranges::fill(x.row(row), static_cast<Operand>(0.1F));
  mae::linear_operands<lane_type> const operands{
      lane.pack_transposed(weight.matrix(layer.out, layer.in), packed.data()),
      {},
      bias.matrix(1, layer.out).row(0)};
  for (auto _ : state) mae::linear_forward<lane_type>(lane, x, operands, y);
  report<Operand>(state, layer);
}

template <class Operand>
void onednn(benchmark::State& state) {
  using tag = dnnl::memory::format_tag;
  constexpr auto type =
      std::is_same_v<Operand, float> ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
  sizes const layer(state);
  dnnl::engine const engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  dnnl::memory::desc const plain_weight({layer.in, layer.out}, type, tag::ba);
  dnnl::matmul::primitive_desc const description(
      dnnl::matmul::desc({{rows, layer.in}, type, tag::ab},
                         {{layer.in, layer.out}, type, tag::any},  // as oneDNN likes them best
                         {{1, layer.out}, dnnl::memory::data_type::f32, tag::ab},
                         {{rows, layer.out}, type, tag::ab}),
      engine);
  auto weight = filled<Operand>(layer.out * layer.in, 0.01F);
  auto bias = filled<float>(layer.out, 0.1F);
  auto x = filled<Operand>(rows * layer.in, 0.1F);
  mae::host_buffer<Operand> y(rows * layer.out);
  dnnl::memory plain(plain_weight, engine, weight.data());
  dnnl::memory packed(description.weights_desc(), engine);
  dnnl::reorder(plain, packed).execute(stream, plain, packed);
  dnnl::matmul const product(description);
  std::unordered_map<int, dnnl::memory> const arguments{
      {DNNL_ARG_SRC, {description.src_desc(), engine, x.data()}},
      {DNNL_ARG_WEIGHTS, packed},
      {DNNL_ARG_BIAS, {description.bias_desc(), engine, bias.data()}},
      {DNNL_ARG_DST, {description.dst_desc(), engine, y.data()}}};
  for (auto _ : state) {
    product.execute(stream, arguments);
    stream.wait();
  }
  report<Operand>(state, layer);
}

void blis(benchmark::State& state) {
  sizes const layer(state);
  auto weight = filled<float>(layer.out * layer.in, 0.01F);
  auto x = filled<float>(rows * layer.in, 0.1F);
  mae::host_buffer<float> y(rows * layer.out);
  float one = 1;
  float zero = 0;
  for (auto _ : state)
    bli_sgemm(BLIS_NO_TRANSPOSE,
              BLIS_TRANSPOSE,
              rows,
              layer.out,
              layer.in,
              &one,
              x.data(),
              layer.in,
              1,
              weight.data(),
              layer.in,
              1,
              &zero,
              y.data(),
              layer.out,
              1);
  report<float>(state, layer);
}

/// The layers of tiny4's encoder and the wide ones of ViT-B.
void layers(benchmark::internal::Benchmark* all) {
  all->ArgNames({"in", "out"});
  for (auto [in, out] : {std::pair{192, 576}, {192, 768}, {768, 192}, {768, 3072}, {3072, 768}})
    all->Args({in, out});
}

BENCHMARK_TEMPLATE(tiles, float)->Apply(layers);
BENCHMARK_TEMPLATE(onednn, float)->Apply(layers);
BENCHMARK(blis)->Apply(layers);
BENCHMARK_TEMPLATE(tiles, mae::bfloat16)->Apply(layers);
BENCHMARK_TEMPLATE(onednn, mae::bfloat16)->Apply(layers);

}  // namespace
