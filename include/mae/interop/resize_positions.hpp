#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>

namespace mae {

/// Rows and columns of patches.
struct patch_grid {
  index_t rows = 0;
  index_t columns = 0;

  constexpr index_t size() const { return rows * columns; }
  friend constexpr bool operator==(patch_grid const&, patch_grid const&) = default;
};

namespace detail {

/// Four neighbours and their weights.
struct cubic_taps {
  std::array<index_t, 4> index;
  std::array<double, 4> weight;
};

/// Keys' kernel with a = -3/4 between the samples of an axis, beyond whose ends the last repeats:
/// torch.nn.functional.interpolate(mode="bicubic", align_corners=False), which does not antialias.
inline cubic_taps cubic_taps_at(index_t output, index_t outputs, index_t inputs) {
  constexpr double a = -0.75;
  double const scale = static_cast<double>(inputs) / static_cast<double>(outputs);
  double const at = (static_cast<double>(output) + 0.5) * scale - 0.5;
  double const first = std::floor(at);
  double const t = at - first;
  auto const near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  auto const far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  cubic_taps taps{{}, {far(t + 1), near(t), near(1 - t), far(2 - t)}};
  for (std::size_t k = 0; k < 4; ++k)
    taps.index[k] = std::clamp(
        static_cast<index_t>(first) + static_cast<index_t>(k) - 1, index_t{0}, inputs - 1);
  return taps;
}

}  // namespace detail

/// Resamples a table of positions for another grid of patches, in both dimensions, as PyTorch does
/// it to an image (Hugging Face stretches a decoder's table along its flattened patches instead).
/// `from` (1 + N, D), `to` (1 + M, D), written; the class token's row, the first, is copied.
template <class T>
void resize_positions(matrix_view<T const> from,
                      patch_grid const& from_grid,
                      matrix_view<T> to,
                      patch_grid const& to_grid) {
  assert(from.rows == from_grid.size() + 1 && to.rows == to_grid.size() + 1);
  assert(from.cols == to.cols);
  std::ranges::copy(from.row(0), to.row(0).begin());
  for (index_t y = 0; y < to_grid.rows; ++y) {
    auto const rows = detail::cubic_taps_at(y, to_grid.rows, from_grid.rows);
    for (index_t x = 0; x < to_grid.columns; ++x) {
      auto const columns = detail::cubic_taps_at(x, to_grid.columns, from_grid.columns);
      auto const out = to.row(1 + y * to_grid.columns + x);
      for (index_t d = 0; d < to.cols; ++d) {
        double sum = 0;
        for (std::size_t i = 0; i < 4; ++i)
          for (std::size_t j = 0; j < 4; ++j)
            sum += rows.weight[i] * columns.weight[j] *
                   static_cast<double>(
                       from(1 + rows.index[i] * from_grid.columns + columns.index[j], d));
        out[static_cast<std::size_t>(d)] = static_cast<T>(sum);
      }
    }
  }
}

}  // namespace mae
