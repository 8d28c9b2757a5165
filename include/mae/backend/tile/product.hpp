#pragma once

#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/tile_kernel.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <type_traits>

namespace mae {
inline namespace MAE_ISA {

/// The left operand of a product, (rows, depth), as it lies in memory: `stride` bytes separate its
/// rows (tile_order::rows) or its columns of cells (tile_order::columns).
struct left_operand {
  char const* data;
  index_t rows;
  index_t depth;
  index_t stride;
};

namespace kernel {

/// Copies at most tile_rows rows of a, from `row` on, into a tile of cells, column after column;
/// what the tile or its last cells have beyond a is zero.
template <class O, tile_order order>
void pad_tile(left_operand const& a, index_t row, cell_of<O>* tile) {
  constexpr index_t step = operand_traits<O>::values_per_cell;
  constexpr auto cell_size = static_cast<index_t>(sizeof(cell_of<O>));
  index_t const depth = cells_for<O>(a.depth);
  index_t const rows = std::min(tile_rows, a.rows - row);
  std::fill_n(tile, depth * tile_rows, cell_of<O>{});
  for (index_t r = 0; r < rows; ++r)
    for (index_t k = 0; k < depth; ++k) {
      char const* const from = order == tile_order::rows
                                   ? a.data + (row + r) * a.stride + k * cell_size
                                   : a.data + (row + r) * cell_size + k * a.stride;
      bool const is_half = order == tile_order::rows && (k + 1) * step > a.depth;
      std::memcpy(tile + k * tile_rows + r, from, is_half ? sizeof(O) : sizeof(cell_of<O>));
    }
}

/// Hands the rows of a tile of sums to the epilogue. A whole panel's width, and a whole register's,
/// are constants, so that the epilogue's loop over them is a few vector instructions.
template <class O, class Epilogue>
void finish_tile(sum_of<O> const* sums,
                 index_t skipped,
                 index_t rows,
                 index_t row,
                 index_t col,
                 index_t cols,
                 Epilogue const& epilogue) {
  constexpr index_t lanes = vector_lanes<sum_of<O>>;
  for (index_t r = skipped; r < rows; ++r) {
    sum_of<O> const* values = sums + r * tile_cols<O>;
    if (cols == tile_cols<O>) {
      epilogue(values, row + r, col, std::integral_constant<index_t, tile_cols<O>>{});
      continue;
    }
    index_t done = 0;
    if (cols >= lanes) {
      epilogue(values, row + r, col, std::integral_constant<index_t, lanes>{});
      done = lanes;
    }
    if (done < cols) epilogue(values + done, row + r, col + done, cols - done);
  }
}

/// The products of a left operand that must be padded: of fewer rows than a tile, or of an odd
/// depth in pairs.
template <class O, tile_order order, class Epilogue>
void multiply_padded(left_operand const& a,
                     packed_matrix<O> const& b,
                     cell_of<O>* padding,
                     Epilogue const& epilogue) {
  alignas(vector_bytes) std::array<sum_of<O>, static_cast<std::size_t>(tile_rows * tile_cols<O>)>
      sums = {};
  for (index_t row = 0; row < a.rows; row += tile_rows) {
    pad_tile<O, order>(a, row, padding);
    for (index_t col = 0; col < b.cols; col += tile_cols<O>) {
      multiply_tile<O, tile_order::columns, tile_rows>(
          cells_for<O>(b.depth),
          memory_as<char const>(padding),
          tile_rows * static_cast<index_t>(sizeof(cell_of<O>)),
          b.panel(col / tile_cols<O>),
          sums.data(),
          {});
      finish_tile<O>(sums.data(),
                     0,
                     std::min(tile_rows, a.rows - row),
                     row,
                     col,
                     std::min(tile_cols<O>, b.cols - col),
                     epilogue);
    }
  }
}

}  // namespace kernel

/// Whether a left operand must be copied before the tile kernel can read it.
template <class O, tile_order order>
constexpr bool needs_padding(index_t rows, index_t depth) {
  return rows < half_tile_rows ||
         (order == tile_order::rows && depth % operand_traits<O>::values_per_cell != 0);
}

/// The cells that `multiply` needs to pad a left operand.
template <class O>
constexpr index_t padding_cells(index_t depth) {
  return cells_for<O>(depth) * tile_rows;
}

namespace kernel {

/// A product whose left operand is read as it lies, tile by tile.
template <class O, tile_order order, class Epilogue>
class tiled_product {
 public:
  tiled_product(left_operand const& a, packed_matrix<O> const& b, Epilogue const& epilogue)
      : a_(a),
        b_(b),
        epilogue_(epilogue),
        row_step_(order == tile_order::rows ? a.stride : static_cast<index_t>(sizeof(cell_of<O>))) {
    index_t const panel_bytes =
        cells_for<O>(b.depth) * tile_cols<O> * static_cast<index_t>(sizeof(cell_of<O>));
    share_ = round_up(ceil_div(panel_bytes, ceil_div(a.rows, tile_rows)), cache_line);
  }

  void run() {
    for (index_t col = 0; col < b_.cols; col += tile_cols<O>) {
      // While this panel is multiplied, the next one is fetched, a share with each tile.
      bool const is_last = col + tile_cols<O> >= b_.cols;
      next_panel_ = memory_as<char const>(b_.panel(col / tile_cols<O> + 1));
      next_share_ = is_last ? 0 : share_;
      index_t done = 0;
      for (; a_.rows - done > half_tile_rows && a_.rows >= tile_rows; done += tile_rows)
        multiply_rows<tile_rows>(done, col);
      for (; done < a_.rows; done += half_tile_rows) multiply_rows<half_tile_rows>(done, col);
    }
  }

 private:
  /// The rows from `done` on. Where fewer are left the tile begins earlier, and the epilogue does
  /// not see again what it had.
  template <index_t rows>
  void multiply_rows(index_t done, index_t col) {
    index_t const row = std::min(done, a_.rows - rows);
    multiply_tile<O, order, rows>(cells_for<O>(b_.depth),
                                  a_.data + row * row_step_,
                                  a_.stride,
                                  b_.panel(col / tile_cols<O>),
                                  sums_.data(),
                                  {epilogue_.meets(row, col), rows, next_panel_, next_share_});
    next_panel_ += next_share_;
    finish_tile<O>(
        sums_.data(), done - row, rows, row, col, std::min(tile_cols<O>, b_.cols - col), epilogue_);
  }

  left_operand const& a_;
  packed_matrix<O> const& b_;
  Epilogue const& epilogue_;
  index_t row_step_;
  index_t share_;
  char const* next_panel_ = nullptr;
  index_t next_share_ = 0;
  alignas(
      vector_bytes) std::array<sum_of<O>, static_cast<std::size_t>(tile_rows* tile_cols<O>)> sums_;
};

}  // namespace kernel

/// Computes a * b and hands it to epilogue(values, row, col, count), in pieces: the columns [col,
/// col + count) of a row. Every sum runs over the depth in order, so that an entry's bits do not
/// depend on the rows beside it. `padding` has room for padding_cells where needs_padding.
template <class O, tile_order order, class Epilogue>
void multiply(left_operand const& a,
              packed_matrix<O> const& b,
              cell_of<O>* padding,
              Epilogue const& epilogue) {
  if (needs_padding<O, order>(a.rows, a.depth))
    return kernel::multiply_padded<O, order>(a, b, padding, epilogue);
  kernel::tiled_product<O, order, Epilogue>(a, b, epilogue).run();
}

}  // namespace MAE_ISA
}  // namespace mae
