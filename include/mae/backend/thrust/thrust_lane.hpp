#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/backend/thrust/policy.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/product.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// An epilogue for the rows of a product from `first` on.
template <class Epilogue>
struct epilogue_from_row {
  Epilogue const& epilogue;
  index_t first;

  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return epilogue.meets(first + row, col);
  }
  template <class T, class Count>
  void operator()(T const* values, index_t row, index_t col, Count count) const {
    epilogue(values, first + row, col, count);
  }
};

}  // namespace kernel

/// All threads of a host system of Thrust at once: every verb is a for_each over pieces that do
/// not depend on the number of threads, and neither does what is summed in them. Products are the
/// library's tile kernel over pieces of rows.
template <class System, class Operand>
class thrust_lane {
 public:
  using operand = Operand;
  using scalar = sum_of<Operand>;
  using cell = cell_of<Operand>;
  using packed = packed_matrix<Operand>;

  static constexpr bool is_parallel = true;
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
    for_columns(b.cols, [=](index_t col, index_t count) {
      mae::pack<Operand, std::remove_const_t<T>>(b.middle_cols(col, count),
                                                 cells + col * cells_for<Operand>(b.rows));
    });
    return {cells, b.rows, b.cols};
  }
  template <class T>
  packed pack_transposed(matrix_view<T> b, cell* cells) const {
    for_columns(b.rows, [=](index_t col, index_t count) {
      mae::pack_transposed<Operand, std::remove_const_t<T>>(
          b.middle_rows(col, count), cells + col * cells_for<Operand>(b.cols));
    });
    return {cells, b.cols, b.rows};
  }

  template <class Epilogue>
  void multiply(matrix_view<operand const> a, packed const& b, Epilogue const& epilogue) const {
    multiply_pieces<tile_order::rows>({memory_as<char const>(a.data),
                                       a.rows,
                                       a.cols,
                                       a.stride * static_cast<index_t>(sizeof(operand))},
                                      a.stride * static_cast<index_t>(sizeof(operand)),
                                      b,
                                      room(padding_room(a.rows, a.cols)),
                                      epilogue);
  }

  template <class Epilogue>
  void multiply_transposed(matrix_view<operand const> a,
                           matrix_view<operand const> b,
                           Epilogue const& epilogue) const {
    assert(a.rows == b.rows);
    cell* const cells = room(transposed_cells(a.rows, a.cols, b.cols));
    auto const right = pack(b, cells);
    cell* const padding = cells + packed_cells(b.rows, b.cols);
    cell* const columns = padding + padding_room(a.cols, a.rows);
    left_operand left{memory_as<char const>(a.data),
                      a.cols,
                      a.rows,
                      a.stride * static_cast<index_t>(sizeof(operand))};
    if constexpr (values_per_cell > 1) {
      constexpr index_t step = values_per_cell;
      each(cells_for<operand>(a.rows),
           [=](index_t k) { join_rows<operand>(a, k * step, 0, a.cols, columns + k * a.cols); });
      left.data = memory_as<char const>(columns);
      left.stride = a.cols * static_cast<index_t>(sizeof(cell));
    }
    multiply_pieces<tile_order::columns>(
        left, static_cast<index_t>(sizeof(cell)), right, padding, epilogue);
  }

  void reserve_products(index_t rows, index_t width) const { room(padding_room(rows, width)); }
  void reserve_transposed(index_t rows, index_t width) const {
    room(transposed_cells(rows, width, width));
  }

  template <class Body>
  void replay(std::span<index_t const> /*key*/, Body const& body) const {
    body();
  }

  template <class Functor>
  void for_rows(index_t count, Functor const& functor) const {
    each(count, [functor](index_t row) { functor(serial_block{}, row); });
  }
  template <class Functor>
  void for_each(index_t count, Functor const& functor) const {
    for_pieces(count, 1 << 12, [functor](index_t first, index_t last) {
      for (index_t i = first; i < last; ++i) functor(i);
    });
  }
  /// functor(block, i, shared) for every i in [0, count), with an array of `shared` scalars.
  template <class Functor>
  void for_blocks(index_t count, index_t shared, Functor const& functor) const {
    each(count, [functor, shared](index_t i) {
      thread_local std::vector<scalar> memory;
      if (static_cast<index_t>(memory.size()) < shared)
        memory.resize(static_cast<std::size_t>(shared));
      functor(serial_block{}, i, memory.data());
    });
  }
  template <class Functor>
  void add_column_sums(index_t rows, Functor const& functor, std::span<scalar> sums) const {
    constexpr index_t grain = 32;
    scalar* const sum = sums.data();
    for_pieces(std::ssize(sums), grain, [=](index_t first, index_t last) {
      for (index_t row = 0; row < rows; ++row)
        for (index_t col = first; col < last; ++col) sum[col] += functor(row, col);
    });
  }
  template <class Functor>
  void add_sum(index_t count, Functor const& functor, double* total) const {
    constexpr index_t grain = 1 << 14;
    parts_.assign(static_cast<std::size_t>(ceil_div(count, grain)), 0.0);
    double* const parts = parts_.data();
    for_pieces(count, grain, [=](index_t first, index_t last) {
      parts[first / grain] = serial_block{}.template sum<double>(
          last - first, [&](index_t i) { return functor(first + i); });
    });
    *total += std::accumulate(parts_.begin(), parts_.end(), 0.0);
  }

 private:
  /// Rows of a product that one thread takes: whole tiles, whose operands fit the L2 cache.
  static constexpr index_t piece_rows = 8 * tile_rows;

  template <class Body>
  static void each(index_t count, Body const& body) {
    kernel::thrust_for_each<System>(count, body);
  }
  template <class Body>
  static void for_pieces(index_t count, index_t grain, Body const& body) {
    each(ceil_div(count, grain),
         [=](index_t piece) { body(piece * grain, std::min((piece + 1) * grain, count)); });
  }
  /// body(col, count) for groups of whole panels.
  template <class Body>
  static void for_columns(index_t cols, Body const& body) {
    for_pieces(cols, 4 * tile_cols<operand>, [=](index_t first, index_t last) {
      body(first, last - first);
    });
  }

  /// Pieces of a product's rows; the last one takes what would be less than a tile.
  static constexpr index_t num_pieces(index_t rows) {
    return std::max<index_t>(1, rows / piece_rows);
  }
  static constexpr index_t padding_room(index_t rows, index_t depth) {
    return num_pieces(rows) * padding_cells<operand>(depth);
  }
  static constexpr index_t transposed_cells(index_t rows, index_t a_cols, index_t b_cols) {
    index_t const depth = rows;
    index_t const columns = values_per_cell == 1 ? 0 : cells_for<operand>(depth) * a_cols;
    return packed_cells(depth, b_cols) + padding_room(a_cols, depth) + columns;
  }

  /// `row_bytes` separate what a piece begins with from what its next row begins with.
  template <tile_order order, class Epilogue>
  void multiply_pieces(left_operand const& a,
                       index_t row_bytes,
                       packed const& b,
                       cell* padding,
                       Epilogue const& epilogue) const {
    if (a.rows == 0) return;
    index_t const pieces = num_pieces(a.rows);
    each(pieces, [=](index_t piece) {
      index_t const first = piece * piece_rows;
      index_t const last = piece + 1 == pieces ? a.rows : first + piece_rows;
      mae::multiply<operand, order>(
          left_operand{a.data + first * row_bytes, last - first, a.depth, a.stride},
          b,
          padding + piece * padding_cells<operand>(a.depth),
          kernel::epilogue_from_row<Epilogue>{epilogue, first});
    });
  }

  cell* room(index_t cells) const {
    if (room_.size() < cells) room_ = host_buffer<cell>(cells);
    return room_.data();
  }

  mutable host_buffer<cell> room_;
  mutable std::vector<double> parts_;
};

}  // namespace MAE_ISA
}  // namespace mae
