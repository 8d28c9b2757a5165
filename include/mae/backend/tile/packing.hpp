#pragma once

#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/tile_kernel.hpp>
#include <mae/backend/tile/vector.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace mae {
inline namespace MAE_ISA {

/// The right operand of products, (depth, cols), in the order in which the tile kernel reads it:
/// panels of tile_cols columns, each panel row after row of cells, of whole depth_cells. What a
/// panel or a cell has beyond the matrix is zero.
template <class O>
struct packed_matrix {
  cell_of<O> const* cells = nullptr;
  index_t depth = 0;
  index_t cols = 0;
  index_t first_col = 0;  // of those that are multiplied: where a panel begins

  cell_of<O> const* panel(index_t number) const {
    return cells + number * cells_for<O>(depth) * tile_cols<O>;
  }
  /// Those of the whole matrix; not of a part that `panels` returned.
  index_t num_panels() const {
    assert(first_col == 0);
    return ceil_div(cols, tile_cols<O>);
  }
  /// The same, of which a product takes the panels [first, last) alone.
  packed_matrix panels(index_t first, index_t last) const {
    assert(first_col == 0);
    return {cells, depth, std::min(cols, last * tile_cols<O>), first * tile_cols<O>};
  }
};

/// The cells that a packed matrix takes up.
template <class O>
constexpr index_t packed_cells(index_t depth, index_t cols) {
  return cells_for<O>(depth) * round_up(cols, tile_cols<O>);
}

namespace kernel {

/// The elements of two registers in turns: a0 b0 a1 b1 ...
template <class V, index_t... place>
[[gnu::always_inline]] inline auto interleave(
    V const& a, V const& b, std::integer_sequence<index_t, place...> /*of both*/) {
  constexpr index_t second = sizeof...(place) / 2;
  return __builtin_shufflevector(a, b, (place % 2 == 0 ? place / 2 : second + place / 2)...);
}

/// A register of cells: pairs of a value of each row.
[[gnu::always_inline]] inline vector_of<std::uint32_t> join_pairs(bfloat16 const* first,
                                                                  bfloat16 const* second) {
  using half [[gnu::vector_size(vector_bytes / 2)]] = std::uint16_t;
  half a;
  half b;
  std::memcpy(&a, first, sizeof(a));
  std::memcpy(&b, second, sizeof(b));
  return std::bit_cast<vector_of<std::uint32_t>>(interleave(a, b, every_place<std::uint16_t>));
}

}  // namespace kernel

/// to[i] = the cell of column col + i of a, whose values are row `row` and, where a cell holds two
/// and a has it, the next: a row of `count` cells.
template <class O, class T>
[[gnu::always_inline]] inline void join_rows(
    matrix_view<T const> a, index_t row, index_t col, index_t count, cell_of<O>* __restrict to) {
  T const* const first = a.data + row * a.stride + col;
  if constexpr (std::is_same_v<T, cell_of<O>>) {
    if (count == tile_cols<O>) {  // g++ calls memmove for a loop here
      store_vector(to, load_vector(first));
      store_vector(to + vector_length<T>, load_vector(first + vector_length<T>));
      return;
    }
  }
  if constexpr (std::is_same_v<T, O> && operand_traits<O>::values_per_cell == 2) {
    constexpr index_t length = vector_length<cell_of<O>>;
    if (count == tile_cols<O> && row + 1 < a.rows) {
      store_vector(to, kernel::join_pairs(first, first + a.stride));
      store_vector(to + length, kernel::join_pairs(first + length, first + a.stride + length));
      return;
    }
  }
  if (operand_traits<O>::values_per_cell == 1 || row + 1 == a.rows) {
    for (index_t i = 0; i < count; ++i)
      to[i] = operand_traits<O>::make_cell(static_cast<O>(first[i]), O{});
  } else {
    T const* const second = first + a.stride;
    for (index_t i = 0; i < count; ++i)
      to[i] = operand_traits<O>::make_cell(static_cast<O>(first[i]), static_cast<O>(second[i]));
  }
}

/// Packs b (depth, cols) into `cells`, row after row: b is read in the order of memory.
template <class O, class T>
packed_matrix<O> pack(matrix_view<T const> b, cell_of<O>* cells) {
  constexpr index_t step = operand_traits<O>::values_per_cell;
  index_t const panel_cells = cells_for<O>(b.rows) * tile_cols<O>;
  index_t const filled_cells = ceil_div(b.rows, step) * tile_cols<O>;
  if (filled_cells < panel_cells)
    for (index_t panel = 0; panel < ceil_div(b.cols, tile_cols<O>); ++panel)
      std::fill(cells + panel * panel_cells + filled_cells,
                cells + (panel + 1) * panel_cells,
                cell_of<O>{});
  for (index_t row = 0; row < b.rows; row += step) {
    cell_of<O>* to = cells + row / step * tile_cols<O>;
    index_t col = 0;
    for (; col + tile_cols<O> <= b.cols; col += tile_cols<O>, to += panel_cells)
      join_rows<O>(b, row, col, tile_cols<O>, to);
    if (col == b.cols) continue;
    join_rows<O>(b, row, col, b.cols - col, to);
    std::fill(to + b.cols - col, to + tile_cols<O>, cell_of<O>{});
  }
  return {cells, b.rows, b.cols};
}

namespace kernel {

/// Packs the columns of a (depth, cols) as the rows of a left operand: tiles of tile_rows of them,
/// each cell after cell of the depth. What a tile or a cell has beyond the matrix is zero.
template <class O>
void pack_tiles_by_columns(matrix_view<O const> a, cell_of<O>* cells) {
  constexpr index_t step = operand_traits<O>::values_per_cell;
  constexpr index_t rows = tile_rows<O>;
  static_assert(round_up(rows, vector_length<cell_of<O>>) <= 2 * rows);
  index_t const tile_cells = cells_for<O>(a.rows) * rows;
  for (index_t row = 0; row < a.rows; row += step) {
    cell_of<O>* to = cells + row / step * rows;
    index_t col = 0;
    for (; col + rows <= a.cols; col += rows, to += tile_cells) {
      if constexpr (step == 2) {
        // Whole registers: what they store beyond the tile's row the next one overwrites, and what
        // they read beyond it is still a's, since a row follows.
        if (row + step < a.rows) {
          O const* const first = a.data + row * a.stride + col;
          for (index_t i = 0; i < rows; i += vector_length<cell_of<O>>)
            store_vector(to + i, join_pairs(first + i, first + a.stride + i));
          continue;
        }
      }
      join_rows<O>(a, row, col, rows, to);
    }
    if (col == a.cols) continue;
    join_rows<O>(a, row, col, a.cols - col, to);
    std::fill(to + a.cols - col, to + rows, cell_of<O>{});
  }
}

/// Likewise, but a column's cells of the whole depth side by side: a row of tile registers.
template <class O>
void pack_tiles_by_rows(matrix_view<O const> a, cell_of<O>* cells) {
  using cell = cell_of<O>;
  constexpr index_t step = operand_traits<O>::values_per_cell;
  constexpr index_t length = vector_length<cell>;
  index_t const depth = cells_for<O>(a.rows);
  for (index_t k = 0; k < depth; k += length)
    for (index_t col = 0; col < a.cols; col += length) {
      vector_of<cell> square[length] = {};  // NOLINT(*-avoid-c-arrays): as in tile_kernel.hpp
      if (col + length <= a.cols && (k + length) * step <= a.rows) {
        O const* const from = a.data + k * step * a.stride + col;
#pragma GCC unroll 16
        for (index_t i = 0; i < length; ++i)
          square[i] = join_pairs(from + i * step * a.stride, from + (i * step + 1) * a.stride);
      } else {
        std::array<cell, static_cast<std::size_t>(length)> row{};
        for (index_t i = 0; i < length && (k + i) * step < a.rows; ++i) {
          join_rows<O>(a, (k + i) * step, col, std::min(length, a.cols - col), row.data());
          square[i] = load_vector(row.data());
        }
      }
      transpose<cell>(square);
#pragma GCC unroll 16
      for (index_t i = 0; i < length; ++i) store_vector(cells + (col + i) * depth + k, square[i]);
    }
}

}  // namespace kernel

/// The bytes between the rows, or the columns, of a left operand that was copied into tiles.
template <class O>
constexpr index_t copied_stride(index_t depth) {
  return (has_tile_registers<O> ? cells_for<O>(depth)
                                : tile_rows<O>)*static_cast<index_t>(sizeof(cell_of<O>));
}

/// Packs the columns of a (depth, cols) as the rows of a left operand, tiles of tile_rows of them,
/// in the order in which the kernel reads them best. What a tile or a cell has beyond the matrix is
/// zero.
template <class O>
void pack_tiles(matrix_view<O const> a, cell_of<O>* cells) {
  if constexpr (has_tile_registers<O>)
    kernel::pack_tiles_by_rows<O>(a, cells);
  else
    kernel::pack_tiles_by_columns<O>(a, cells);
}

namespace kernel {

/// A register of cells, made of a row's values from `from` on.
template <class O, class T>
[[gnu::always_inline]] inline vector_of<cell_of<O>> load_cells(T const* from) {
  using traits = operand_traits<O>;
  vector_of<cell_of<O>> cells;
  if constexpr (std::is_same_v<T, O>) {
    std::memcpy(&cells, from, sizeof(cells));
  } else {
    constexpr index_t step = traits::values_per_cell;
    for (index_t i = 0; i < vector_length<cell_of<O>>; ++i)
      cells[i] = traits::make_cell(static_cast<O>(from[i * step]),
                                   static_cast<O>(from[i * step + step - 1]));
  }
  return cells;
}

/// Packs `count` rows of b from `row` on, at most as many as a register has values, as columns of a
/// panel.
template <class O, class T>
void pack_columns(matrix_view<T const> b, index_t row, index_t count, cell_of<O>* panel) {
  using traits = operand_traits<O>;
  using cell = cell_of<O>;
  constexpr index_t step = traits::values_per_cell;
  constexpr index_t length = vector_length<cell>;
  T const* const from = b.data + row * b.stride;
  index_t const whole = b.cols / (step * length) * length;  // cells that are packed by squares
  for (index_t k = 0; k < whole; k += length) {
    vector_of<cell> square[length] = {};  // NOLINT(*-avoid-c-arrays): as in tile_kernel.hpp
#pragma GCC unroll 16
    for (index_t i = 0; i < length; ++i)
      if (i < count) square[i] = load_cells<O, T>(from + i * b.stride + k * step);
    transpose<cell>(square);
#pragma GCC unroll 16
    for (index_t i = 0; i < length; ++i) store_vector(panel + (k + i) * tile_cols<O>, square[i]);
  }
  for (index_t k = whole; k < cells_for<O>(b.cols); ++k) {
    cell* const to = panel + k * tile_cols<O>;
    store_vector(to, vector_of<cell>{});
    if (k * step >= b.cols) continue;
    bool const is_half = (k + 1) * step > b.cols;
    for (index_t i = 0; i < count; ++i) {
      T const* const values = from + i * b.stride + k * step;
      to[i] = traits::make_cell(static_cast<O>(values[0]),
                                is_half ? O{} : static_cast<O>(values[step - 1]));
    }
  }
}

}  // namespace kernel

/// Packs the transpose of b (cols, depth) into `cells`.
template <class O, class T>
packed_matrix<O> pack_transposed(matrix_view<T const> b, cell_of<O>* cells) {
  constexpr index_t length = vector_length<cell_of<O>>;
  for (index_t col = 0; col < b.rows; col += tile_cols<O>)
    for (index_t part = 0; part < tile_cols<O>; part += length) {
      index_t const row = std::min(col + part, b.rows);
      kernel::pack_columns<O, T>(
          b, row, std::min(length, b.rows - row), cells + col * cells_for<O>(b.cols) + part);
    }
  return {cells, b.cols, b.rows};
}

}  // namespace MAE_ISA
}  // namespace mae
