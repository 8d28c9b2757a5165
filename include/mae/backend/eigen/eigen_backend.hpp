#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/product.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cassert>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace mae {
inline namespace MAE_ISA {

/// One core of the host: every verb is a serial loop. Parallelism lies above, in shards, each with
/// a lane of its own. Operands are multiplied by the library's own tile kernel. A lane is used by
/// one thread at a time.
template <class Operand>
class eigen_lane {
 public:
  using operand = Operand;
  using scalar = sum_of<Operand>;
  using cell = cell_of<Operand>;
  using packed = packed_matrix<Operand>;

  static constexpr bool is_parallel = false;
  static constexpr fused_members fused{};
  static constexpr index_t values_per_cell = operand_traits<Operand>::values_per_cell;

  template <class T>
  void upload(std::span<T const> host, std::span<T> values) const {
    std::ranges::copy(host, values.begin());
  }
  template <class T>
  void download(std::span<T const> values, std::span<T> host) const {
    std::ranges::copy(values, host.begin());
  }

  static constexpr index_t packed_cells(index_t depth, index_t cols) {
    return mae::packed_cells<Operand>(depth, cols);
  }
  static packed packed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols};
  }
  static packed packed_transposed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols};
  }
  template <class T>
  packed pack(matrix_view<T> b, cell* cells) const {
    return mae::pack<Operand, std::remove_const_t<T>>(b, cells);
  }
  template <class T>
  packed pack_transposed(matrix_view<T> b, cell* cells) const {
    return mae::pack_transposed<Operand, std::remove_const_t<T>>(b, cells);
  }

  template <class Epilogue>
  void multiply(matrix_view<operand const> a, packed const& b, Epilogue const& epilogue) const {
    assert(cells_for<operand>(a.cols) == cells_for<operand>(b.depth));
    left_operand const left{memory_as<char const>(a.data),
                            a.rows,
                            a.cols,
                            a.stride * static_cast<index_t>(sizeof(operand))};
    cell* const padding = needs_padding<operand, tile_order::rows>(a.rows, a.cols)
                              ? room(padding_cells<operand>(a.cols))
                              : nullptr;
    mae::multiply<operand, tile_order::rows>(left, b, padding, epilogue);
  }

  template <class Epilogue>
  void multiply_transposed(matrix_view<operand const> a,
                           matrix_view<operand const> b,
                           Epilogue const& epilogue) const {
    assert(a.rows == b.rows);
    cell* const cells = room(transposed_cells(a.rows, a.cols, b.cols));
    auto const right = pack(b, cells);
    cell* const padding = cells + packed_cells(b.rows, b.cols);
    auto const left = as_columns(a, padding + padding_cells<operand>(a.rows));
    mae::multiply<operand, tile_order::columns>(left, right, padding, epilogue);
  }

  void reserve_products(index_t /*rows*/, index_t width) const {
    room(padding_cells<operand>(width));
  }
  void reserve_transposed(index_t rows, index_t width) const {
    room(transposed_cells(rows, width, width));
  }

  template <class Body>
  void replay(std::span<index_t const> /*key*/, Body const& body) const {
    body();
  }

  template <class Functor>
  void for_rows(index_t count, Functor const& functor) const {
    serial_block const block;
    for (index_t row = 0; row < count; ++row) functor(block, row);
  }

  template <class Functor>
  void for_each(index_t count, Functor const& functor) const {
    for (index_t i = 0; i < count; ++i) functor(i);
  }

  template <class Functor>
  void add_column_sums(index_t rows, Functor const& functor, std::span<scalar> sums) const {
    auto const cols = static_cast<index_t>(sums.size());
    scalar* const sum = sums.data();
    for (index_t row = 0; row < rows; ++row)
      for (index_t col = 0; col < cols; ++col) sum[col] += functor(row, col);
  }

  template <class Functor>
  void add_sum(index_t count, Functor const& functor, double* total) const {
    *total += serial_block{}.template sum<double>(count, functor);
  }

 private:
  static constexpr index_t transposed_cells(index_t rows, index_t a_cols, index_t b_cols) {
    index_t const columns =
        operand_traits<operand>::values_per_cell == 1 ? 0 : cells_for<operand>(rows) * a_cols;
    return packed_cells(rows, b_cols) + padding_cells<operand>(rows) + columns;
  }

  /// The columns of a, each a row of cells: a as it lies, where a cell is a value.
  static left_operand as_columns(matrix_view<operand const> a, cell* cells) {
    constexpr index_t step = operand_traits<operand>::values_per_cell;
    if constexpr (step == 1)
      return {memory_as<char const>(a.data),
              a.cols,
              a.rows,
              a.stride * static_cast<index_t>(sizeof(operand))};
    for (index_t row = 0; row < a.rows; row += step)
      join_rows<operand>(a, row, 0, a.cols, cells + row / step * a.cols);
    return {
        memory_as<char const>(cells), a.cols, a.rows, a.cols * static_cast<index_t>(sizeof(cell))};
  }

  cell* room(index_t cells) const {
    if (room_.size() < cells) room_ = host_buffer<cell>(cells);
    return room_.data();
  }

  mutable host_buffer<cell> room_;
};
static_assert(Lane<eigen_lane<float>> && Lane<eigen_lane<double>>);

/// The processor. `float` trains; `bfloat16` trains in mixed precision: it multiplies bfloat16, and
/// keeps parameters, sums, softmax, layer norm and loss in float; `double` is for checks.
/// Copies share one set of threads.
template <class Operand>
class eigen_backend {
 public:
  using lane = eigen_lane<Operand>;
  using scalar = typename lane::scalar;
  template <class T>
  using buffer_of = host_buffer<T>;
  using buffer = buffer_of<scalar>;

  static constexpr bool uses_host_memory = true;
  /// Few enough rows that a layer's operands stay in the L2 cache, enough that weights are read
  /// rarely.
  static constexpr shard_limits shards{.rows = 256, .lanes = 8};

  /// `threads` as for thread_pool: 0 takes one for every processor.
  explicit eigen_backend(int threads = 0) : threads_(std::make_shared<thread_pool>(threads)) {}
  /// Shares threads, with a backend of another precision or with anything else.
  explicit eigen_backend(std::shared_ptr<thread_pool> threads) : threads_(std::move(threads)) {}

  static constexpr char const* name() { return "eigen"; }
  static constexpr char const* precision() {
    if (std::is_same_v<Operand, bfloat16>) return "bf16";
    return std::is_same_v<Operand, double> ? "fp64" : "fp32";
  }
  thread_pool& threads() const { return *threads_; }

  lane make_lane() const { return {}; }
  int num_workers() const { return threads_->size(); }
  template <class Body>
  void for_lanes(index_t count, Body&& body) const {
    threads_->for_each(count, body);
  }
  static constexpr int num_helpers() { return 1; }
  template <class Body>
  void for_each_inside(index_t count, Body&& body) const {
    for (index_t i = 0; i < count; ++i) body(i, 0);
  }

 private:
  std::shared_ptr<thread_pool> threads_;
};
static_assert(Backend<eigen_backend<float>> && Backend<eigen_backend<double>>);

}  // namespace MAE_ISA
}  // namespace mae
