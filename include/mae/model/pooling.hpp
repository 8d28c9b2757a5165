#pragma once

#include <mae/backend/block.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/pooling.hpp>

#include <array>
#include <cstddef>
#include <vector>

namespace mae {

inline namespace MAE_ISA {

/// The feature of an image's tokens (N + 1, D), the class token first, in the host's memory. `out`
/// (D or 2 D), written.
template <class T>
void pool_tokens(matrix_view<T const> tokens, pooling pool, T* out) {
  std::array<index_t, 2> const rows{0, tokens.rows};
  kernel::pool_image<T>{tokens, rows, pool, {out, 1, pooled_width(pool, tokens.cols)}}(
      serial_block{}, 0);
}

/// Rows (n, D) in the host's memory, normalised.
template <class T>
std::vector<T> normalised_rows(matrix_view<T const> rows, norm_weights<T const> norm, T epsilon) {
  std::vector<T> normal(static_cast<std::size_t>(rows.rows * rows.cols));
  std::vector<T> statistics(static_cast<std::size_t>(2 * rows.rows));
  kernel::layer_norm_row<T, T> const normalise{rows,
                                               norm.weight.data(),
                                               norm.bias.data(),
                                               epsilon,
                                               {normal.data(), rows.rows, rows.cols},
                                               {statistics.data(), rows.rows, 2}};
  for (index_t row = 0; row < rows.rows; ++row) normalise(serial_block{}, row);
  return normal;
}

}  // namespace MAE_ISA

}  // namespace mae
