#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/backend/thrust/policy.hpp>
#include <mae/backend/tile/host_lane.hpp>
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
class thrust_lane : public host_lane<Operand> {
  using base = host_lane<Operand>;

 public:
  using typename base::cell;
  using typename base::operand;
  using typename base::packed;
  using typename base::scalar;

  static constexpr bool is_parallel = true;

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
    cell* const padding = this->room(padding_room(a.rows, a.cols));
    for_row_pieces(a.rows, [=](index_t piece, index_t first, index_t rows) {
      mae::multiply<operand>(left_operand(a.middle_rows(first, rows)),
                             b,
                             padding + piece * padding_cells<operand>(a.cols),
                             kernel::epilogue_from_row<Epilogue>{epilogue, first});
    });
  }

  template <class Epilogue>
  void multiply_transposed(matrix_view<operand const> a,
                           matrix_view<operand const> b,
                           Epilogue const& epilogue) const {
    assert(a.rows == b.rows);
    cell* const cells = this->room(transposed_cells(a.rows, a.cols, b.cols));
    auto const right = pack(b, cells);
    cell* const blocks = cells + base::packed_cells(b.rows, b.cols);
    for_row_pieces(a.cols, [=](index_t piece, index_t first, index_t rows) {
      mae::multiply_transposed<operand>(a.middle_cols(first, rows),
                                        right,
                                        blocks + piece * transposed_block_cells<operand>(a.rows),
                                        kernel::epilogue_from_row<Epilogue>{epilogue, first});
    });
  }

  void reserve_products(index_t rows, index_t width) const {
    this->room(padding_room(rows, width));
  }
  void reserve_transposed(index_t rows, index_t width) const {
    this->room(transposed_cells(rows, width, width));
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
  /// Rows of a product that one thread takes: whole tiles of every kernel, whose operands fit the
  /// L2 cache.
  static constexpr index_t piece_rows = 96;
  static_assert(piece_rows % tile_rows<operand> == 0);

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
  static constexpr index_t transposed_cells(index_t depth, index_t a_cols, index_t b_cols) {
    return base::packed_cells(depth, b_cols) +
           num_pieces(a_cols) * transposed_block_cells<operand>(depth);
  }
  /// body(piece, first, rows) for the pieces of a product's rows.
  template <class Body>
  static void for_row_pieces(index_t rows, Body const& body) {
    index_t const pieces = num_pieces(rows);
    each(pieces, [=](index_t piece) {
      index_t const first = piece * piece_rows;
      body(piece, first, piece + 1 == pieces ? rows - first : piece_rows);
    });
  }

  mutable std::vector<double> parts_;
};

}  // namespace MAE_ISA
}  // namespace mae
