#pragma once

#include <mae/backend/tile/block_rows.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/tile_kernel.hpp>
#include <mae/backend/tile/tile_registers.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace mae {
inline namespace MAE_ISA {

/// The left operand of a product, (rows, depth), as it lies in memory: `stride` bytes separate its
/// rows.
struct left_operand {
  char const* data;
  index_t rows;
  index_t depth;
  index_t stride;

  template <class O>
  explicit left_operand(matrix_view<O const> a)
      : data(memory_as<char const>(a.data)),
        rows(a.rows),
        depth(a.cols),
        stride(a.stride * static_cast<index_t>(sizeof(O))) {}

  char const* row(index_t number) const { return data + number * stride; }
};

/// The cells that `multiply` needs to pad a left operand.
template <class O>
constexpr index_t padding_cells(index_t depth) {
  return cells_for<O>(depth) * tile_rows<O>;
}

namespace kernel {

/// Copies at most tile_rows rows of a, from `row` on, into a tile of cells, in the order in which
/// pack_tiles lays them; what the tile or its last cells have beyond a is zero.
template <class O>
void pad_tile(left_operand const& a, index_t row, cell_of<O>* tile) {
  constexpr index_t step = operand_traits<O>::values_per_cell;
  constexpr auto cell_size = static_cast<index_t>(sizeof(cell_of<O>));
  constexpr auto value_size = static_cast<index_t>(sizeof(O));
  index_t const rows = std::min(tile_rows<O>, a.rows - row);
  std::fill_n(tile, padding_cells<O>(a.depth), cell_of<O>{});
  for (index_t r = 0; r < rows; ++r) {
    if constexpr (has_tile_registers<O>) {
      std::memcpy(tile + r * cells_for<O>(a.depth),
                  a.row(row + r),
                  static_cast<std::size_t>(a.depth * value_size));
    } else {
      for (index_t k = 0; k < cells_for<O>(a.depth); ++k)
        std::memcpy(tile + k * tile_rows<O> + r,
                    a.row(row + r) + k * cell_size,
                    (k + 1) * step > a.depth ? sizeof(O) : sizeof(cell_of<O>));
    }
  }
}

/// Hands the rows [skipped, end) of a tile of sums to the epilogue; asks for what `forecast` holds
/// meanwhile. All widths are constants, so that the epilogue's loop over them is a few vector
/// instructions: a panel's, a register's, and the few columns beyond one by one.
template <class O, class Epilogue>
void finish_tile(sum_of<O> const* sums,
                 index_t skipped,
                 index_t end,
                 index_t row,
                 index_t col,
                 index_t cols,
                 Epilogue const& epilogue,
                 [[maybe_unused]] tile_forecast<O> forecast) {
  constexpr index_t length = vector_length<sum_of<O>>;
  for (index_t r = skipped; r < end; ++r) {
    if constexpr (has_tile_registers<O>) forecast.ask();
    sum_of<O> const* values = sums + r * tile_cols<O>;
    if (cols == tile_cols<O>) {
      epilogue(values, row + r, col, std::integral_constant<index_t, tile_cols<O>>{});
      continue;
    }
    index_t done = 0;
    if (cols >= length) {
      epilogue(values, row + r, col, std::integral_constant<index_t, length>{});
      done = length;
    }
    for (; done < cols; ++done)
      epilogue(values + done, row + r, col + done, std::integral_constant<index_t, 1>{});
  }
}

/// A block of rows times one panel after the other. While a panel is multiplied, the next one is
/// fetched, a share with each tile; for tile registers, where it comes from beyond the second
/// cache.
template <class O, class Epilogue>
class block_product {
 public:
  /// Of the product's rows [first, last).
  block_product(index_t first, index_t last, packed_matrix<O> const& b, Epilogue const& epilogue)
      : first_(first), last_(last), b_(b), epilogue_(epilogue) {
    index_t const tiles = ceil_div(last - first, tile_rows<O>);
    if (!has_tile_registers<O> || is_streamed(b))
      share_ = round_up(ceil_div(panel_bytes<O>(b.depth), tiles), cache_line);
  }

  /// tiles(): multiplies all tiles of the block by a panel.
  template <class Tiles>
  void for_panels(Tiles const& tiles) {
    for (col_ = b_.first_col; col_ < b_.cols; col_ += tile_cols<O>) {
      bool const is_last = col_ + tile_cols<O> >= b_.cols;
      next_panel_ = memory_as<char const>(b_.panel(col_ / tile_cols<O> + 1));
      next_bytes_ = is_last ? 0 : panel_bytes<O>(b_.depth);
      tiles();
    }
  }

  /// A tile of `rows` rows at `a`, whose first one is `row` of the product. Those in [skipped, end)
  /// go to the epilogue.
  template <tile_order order, index_t rows>
  void multiply(char const* a, index_t stride, index_t row, index_t skipped, index_t end) {
    auto const ahead = forecast(row, rows, end);
    index_t const depth = cells_for<O>(b_.depth);
    auto const* const panel = b_.panel(col_ / tile_cols<O>);
    index_t const cols = std::min(tile_cols<O>, b_.cols - col_);
    if constexpr (has_tile_registers<O>) {
      static_assert(tile_cols<O> == 32 && depth_cells<O> == 16);
      auto const [next, bytes] = next_share();
      multiply_in_tile_registers<O, rows>(
          depth / depth_cells<O>, a, stride, panel, sums_.data(), next, bytes);
    } else {
      multiply_tile<O, order, rows>(depth, a, stride, panel, sums_.data(), ahead);
    }
    finish_tile<O>(sums_.data(), skipped, end, row, col_, cols, epilogue_, ahead);
  }

 private:
  struct panel_share {
    char const* from;
    index_t bytes;
  };
  /// What is left of the next panel, at most a share.
  panel_share next_share() {
    panel_share const share{next_panel_, std::min(share_, next_bytes_)};
    next_panel_ += share.bytes;
    next_bytes_ -= share.bytes;
    return share;
  }

  /// What is asked for while a tile is summed: what its own result meets, and a share of the next
  /// panel. Tile registers sum too soon for the former, so that it is what the next tile's result
  /// meets, while this one's is finished.
  tile_forecast<O> forecast(index_t row, index_t rows, index_t end) {
    if constexpr (has_tile_registers<O>) {
      bool const is_last = row + rows >= last_;
      index_t const next_row = is_last ? first_ : row + rows;
      index_t const next_col = is_last ? col_ + tile_cols<O> : col_;
      if (next_col >= b_.cols) return {};
      return {epilogue_.meets(next_row, next_col), std::min(rows, last_ - next_row)};
    } else {
      auto const [next, bytes] = next_share();
      return {epilogue_.meets(row, col_), end, next, bytes};
    }
  }

  index_t first_;
  index_t last_;
  packed_matrix<O> const& b_;
  Epilogue const& epilogue_;
  index_t share_ = 0;  // of the next panel with each tile, bytes
  index_t col_ = 0;
  char const* next_panel_ = nullptr;
  index_t next_bytes_ = 0;
  alignas(vector_bytes)
      std::array<sum_of<O>, static_cast<std::size_t>(tile_rows<O>* tile_cols<O>)> sums_;
};

/// The rows [first, last) of a, read as they lie. Where fewer are left than a tile has, it begins
/// earlier, and the epilogue does not see again what it had.
template <class O, class Epilogue>
void multiply_block(left_operand const& a,
                    index_t first,
                    index_t last,
                    packed_matrix<O> const& b,
                    Epilogue const& epilogue) {
  block_product<O, Epilogue> product(first, last, b, epilogue);
  auto const tile = [&](auto rows, index_t done) {
    index_t const row = std::min<index_t>(done, a.rows - rows);
    product.template multiply<tile_order::rows, rows>(a.row(row), a.stride, row, done - row, rows);
  };
  product.for_panels([&] {
    index_t done = first;
    constexpr std::integral_constant<index_t, tile_rows<O>> whole_tile;
    constexpr std::integral_constant<index_t, half_tile_rows<O>> half_tile;
    for (; last - done > half_tile && a.rows >= whole_tile; done += whole_tile)
      tile(whole_tile, done);
    for (; done < last; done += half_tile) tile(half_tile, done);
  });
}

/// Rows that were copied into tiles of cells; the first is `first` of the product.
template <class O, class Epilogue>
void multiply_tiles(cell_of<O> const* tiles,
                    index_t first,
                    index_t rows,
                    packed_matrix<O> const& b,
                    Epilogue const& epilogue) {
  index_t const stride = copied_stride<O>(b.depth);
  block_product<O, Epilogue> product(first, first + rows, b, epilogue);
  product.for_panels([&] {
    for (index_t row = 0; row < rows; row += tile_rows<O>) {
      auto const* const tile = memory_as<char const>(tiles + row * cells_for<O>(b.depth));
      if (rows - row > half_tile_rows<O>)
        product.template multiply<tile_order::columns, tile_rows<O>>(
            tile, stride, first + row, 0, std::min(tile_rows<O>, rows - row));
      else
        product.template multiply<tile_order::columns, half_tile_rows<O>>(
            tile, stride, first + row, 0, rows - row);
    }
  });
}

}  // namespace kernel

/// Whether a left operand must be copied before the tile kernel can read it: of fewer rows than
/// half a tile, or of a depth that is not whole.
template <class O>
constexpr bool needs_padding(index_t rows, index_t depth) {
  return rows < half_tile_rows<O> || depth % depth_values<O> != 0;
}

/// Computes a * b and hands it to epilogue(values, row, col, count), in pieces: the columns [col,
/// col + count) of a row. Every sum runs over the depth in order, so that an entry's bits do not
/// depend on the rows beside it. `padding` has room for padding_cells where needs_padding. Called
/// where a host_lane or quantised_rows of O exist: they have asked for the registers.
template <class O, class Epilogue>
void multiply(left_operand const& a,
              packed_matrix<O> const& b,
              cell_of<O>* padding,
              Epilogue const& epilogue) {
  [[maybe_unused]] kernel::product_registers<O> const registers;
  if (needs_padding<O>(a.rows, a.depth)) {
    for (index_t row = 0; row < a.rows; row += tile_rows<O>) {
      kernel::pad_tile<O>(a, row, padding);
      kernel::multiply_tiles<O>(padding, row, std::min(tile_rows<O>, a.rows - row), b, epilogue);
    }
    return;
  }
  index_t const blocks = ceil_div(a.rows, kernel::most_block_rows(b));
  index_t const rows = round_up(ceil_div(a.rows, blocks), tile_rows<O>);
  for (index_t first = 0; first < a.rows; first += rows)
    kernel::multiply_block<O>(a, first, std::min(first + rows, a.rows), b, epilogue);
}

/// Columns of a transposed left operand that are copied at once, so that the tile kernel does not
/// wait for values that lie far apart.
inline constexpr index_t transposed_block = 96;  // whole tiles of every kernel

/// The cells that `multiply_transposed` needs for them.
template <class O>
constexpr index_t transposed_block_cells(index_t depth) {
  return cells_for<O>(depth) * transposed_block;
}

/// Likewise a^T * b, given a (depth, rows), with room for transposed_block_cells.
template <class O, class Epilogue>
void multiply_transposed(matrix_view<O const> a,
                         packed_matrix<O> const& b,
                         cell_of<O>* cells,
                         Epilogue const& epilogue) {
  static_assert(transposed_block % tile_rows<O> == 0);
  [[maybe_unused]] kernel::product_registers<O> const registers;
  for (index_t first = 0; first < a.cols; first += transposed_block) {
    index_t const count = std::min(transposed_block, a.cols - first);
    pack_tiles<O>(a.middle_cols(first, count), cells);
    kernel::multiply_tiles<O>(cells, first, count, b, epilogue);
  }
}

}  // namespace MAE_ISA
}  // namespace mae
