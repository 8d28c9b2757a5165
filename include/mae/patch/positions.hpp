#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <span>

namespace mae {

namespace detail {

/// [sin(p w_0), ..., cos(p w_0), ...] with w_k = 10000^(-k / K), K half of `out`'s size.
template <class T>
void sincos_position(index_t position, std::span<T> out) {
  auto const frequencies = static_cast<index_t>(out.size()) / 2;
  for (index_t k = 0; k < frequencies; ++k) {
    double const exponent = -static_cast<double>(k) / static_cast<double>(frequencies);
    double const angle = static_cast<double>(position) * std::pow(10000.0, exponent);
    out[static_cast<std::size_t>(k)] = static_cast<T>(std::sin(angle));
    out[static_cast<std::size_t>(frequencies + k)] = static_cast<T>(std::cos(angle));
  }
}

}  // namespace detail

/// Fills the two-dimensional sine-cosine position table of the official code, computed in double.
/// `table` (N + 1, D), N = grid_rows * grid_columns, D a multiple of 4, written: row 0, the class
/// token's, is zero; the row of a patch holds its *column* in the first half and its row in the
/// second, each as D/4 sines, then D/4 cosines.
template <class T>
void sincos_positions(index_t grid_rows, index_t grid_columns, matrix_view<T> table) {
  assert(table.rows == grid_rows * grid_columns + 1 && table.cols % 4 == 0);
  std::ranges::fill(table.row(0), T{0});
  auto const half = static_cast<std::size_t>(table.cols / 2);
  for (index_t row = 0; row < grid_rows; ++row)
    for (index_t column = 0; column < grid_columns; ++column) {
      std::span<T> const out = table.row(1 + row * grid_columns + column);
      detail::sincos_position(column, out.first(half));
      detail::sincos_position(row, out.last(half));
    }
}

}  // namespace mae
