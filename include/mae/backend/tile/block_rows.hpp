#pragma once

#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/tile_kernel.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <algorithm>

// How much of a product's operands lies in which cache.

namespace mae {
inline namespace MAE_ISA {
namespace kernel {

/// The bytes of a left operand's row, and of a panel.
template <class O>
constexpr index_t row_bytes(index_t depth) {
  return cells_for<O>(depth) * static_cast<index_t>(sizeof(cell_of<O>));
}
template <class O>
constexpr index_t panel_bytes(index_t depth) {
  return row_bytes<O>(depth) * tile_cols<O>;
}

/// Of the second cache, of 2 MB wherever there are tile registers: what a right operand may take up
/// and stay there, and what a block of rows takes up beside panels that pass.
inline constexpr index_t resident_bytes = index_t{1} << 20;
inline constexpr index_t block_bytes = 3 * (index_t{1} << 18);

/// Whether the panels of b are fetched from beyond the second cache for each block of rows.
template <class O>
bool is_streamed(packed_matrix<O> const& b) {
  return panel_bytes<O>(b.depth) * ceil_div(b.cols - b.first_col, tile_cols<O>) > resident_bytes;
}

/// Rows of a left operand that meet all panels of b before the next rows do: few enough to stay in
/// a core's second cache, unless they are very deep, and enough that the panels are fetched rarely.
/// Tile registers wait for their rows: so few for them that at the depths of small models they stay
/// in the first cache, unless b does not stay in the second.
template <class O>
index_t most_block_rows(packed_matrix<O> const& b) {
  if constexpr (!has_tile_registers<O>) return 22 * tile_rows<O>;
  constexpr index_t least = 2 * tile_rows<O>;
  if (!is_streamed(b)) return least;
  return std::max(least, block_bytes / row_bytes<O>(b.depth) / tile_rows<O> * tile_rows<O>);
}

}  // namespace kernel
}  // namespace MAE_ISA
}  // namespace mae
