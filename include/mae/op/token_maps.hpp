#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>

namespace mae {

/// How maps of C values a cell become maps of K values at another size: bilinear interpolation
/// (PyTorch's, corners not aligned), and at the new size a sum over the window of 2 reach + 1 cells
/// a side around each, of which each place reads K values of its own: C = (2 reach + 1)^2 K.
struct map_resize {
  map_shape from;
  map_shape to;
  index_t reach = 0;

  constexpr index_t window() const { return (2 * reach + 1) * (2 * reach + 1); }
};

/// The largest reach that kernels have room for: a window of 3x3.
inline constexpr index_t most_reach = 1;

inline namespace MAE_ISA {

namespace kernel {

/// Which two cells of an axis a new cell lies between: (1 - share) of the first, share of the
/// second.
template <class T>
struct axis_place {
  index_t first = 0;
  index_t second = 0;
  T share = 0;
};

template <class T>
MAE_HOST_DEVICE axis_place<T> place_on_axis(index_t at, index_t from, index_t to) {
  T const exact = (static_cast<T>(at) + T(0.5)) * static_cast<T>(from) / static_cast<T>(to);
  T const centre = exact > T(0.5) ? exact - T(0.5) : T{0};
  auto first = static_cast<index_t>(centre);
  if (first > from - 1) first = from - 1;
  index_t const second = first + 1 < from ? first + 1 : first;
  return {first, second, centre - static_cast<T>(first)};
}

/// The share of a cell of an axis in a new cell.
template <class T>
MAE_HOST_DEVICE T share_of_cell(axis_place<T> const& place, index_t cell) {
  return (cell == place.first ? T{1} - place.share : T{0}) +
         (cell == place.second ? place.share : T{0});
}

/// New cells [first, last) beyond which a cell has no share.
struct cell_range {
  index_t first = 0;
  index_t last = 0;
};
MAE_HOST_DEVICE inline cell_range reached_by(index_t cell, index_t from, index_t to) {
  index_t const first = cell > 0 ? (2 * cell - 1) * to / (2 * from) - 1 : 0;
  index_t const last = (2 * cell + 3) * to / (2 * from) + 1;
  return {first > 0 ? first : 0, last < to ? last : to};
}

template <class T>
struct resample_cell {
  matrix_view<T const> cells;
  map_resize how;
  matrix_view<T> maps;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const image = row / how.to.size();
    index_t const y = row % how.to.size() / how.to.columns;
    index_t const x = row % how.to.columns;
    std::array<axis_place<T>, 2 * most_reach + 1> down;
    std::array<axis_place<T>, 2 * most_reach + 1> along;
    index_t const side = 2 * how.reach + 1;
    for (index_t k = 0; k < side; ++k) {
      down[static_cast<std::size_t>(k)] =
          place_on_axis<T>(y + k - how.reach, how.from.rows, how.to.rows);
      along[static_cast<std::size_t>(k)] =
          place_on_axis<T>(x + k - how.reach, how.from.columns, how.to.columns);
    }
    T const* const origin = cells.data + image * how.from.size() * cells.stride;
    T* const out = maps.data + row * maps.stride;
    block.for_each(maps.cols, [&](index_t c) {
      T sum = 0;
      for (index_t i = 0; i < side; ++i) {
        if (y + i < how.reach || y + i - how.reach >= how.to.rows) continue;
        for (index_t j = 0; j < side; ++j) {
          if (x + j < how.reach || x + j - how.reach >= how.to.columns) continue;
          sum += interpolated(origin + (i * side + j) * maps.cols + c,
                              down[static_cast<std::size_t>(i)],
                              along[static_cast<std::size_t>(j)]);
        }
      }
      out[c] = sum;
    });
  }

  MAE_HOST_DEVICE T interpolated(T const* value,
                                 axis_place<T> const& down,
                                 axis_place<T> const& along) const {
    T const* const upper = value + down.first * how.from.columns * cells.stride;
    T const* const lower = value + down.second * how.from.columns * cells.stride;
    index_t const left = along.first * cells.stride;
    index_t const right = along.second * cells.stride;
    T const above = upper[left] + along.share * (upper[right] - upper[left]);
    T const below = lower[left] + along.share * (lower[right] - lower[left]);
    return above + down.share * (below - above);
  }
};

/// The gradient of one cell: gathered, so that no two rows write to one place.
template <class T>
struct resample_cell_grad {
  matrix_view<T const> maps_grad;
  map_resize how;
  matrix_view<T> cells_grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const image = row / how.from.size();
    index_t const cell_row = row % how.from.size() / how.from.columns;
    index_t const cell_column = row % how.from.columns;
    auto const rows = reached_by(cell_row, how.from.rows, how.to.rows);
    auto const columns = reached_by(cell_column, how.from.columns, how.to.columns);
    index_t const side = 2 * how.reach + 1;
    T const* const origin = maps_grad.data + image * how.to.size() * maps_grad.stride;
    T* const out = cells_grad.data + row * cells_grad.stride;
    block.for_each(cells_grad.cols, [&](index_t e) {
      index_t const place = e / maps_grad.cols;
      index_t const up = place / side - how.reach;
      index_t const left = place % side - how.reach;
      T const* const in = origin + e % maps_grad.cols;
      T sum = 0;
      for (index_t q = rows.first; q < rows.last; ++q) {
        if (q < up || q - up >= how.to.rows) continue;
        T const of_row = share_of_cell(place_on_axis<T>(q, how.from.rows, how.to.rows), cell_row);
        for (index_t p = columns.first; p < columns.last; ++p) {
          if (p < left || p - left >= how.to.columns) continue;
          T const of_column =
              share_of_cell(place_on_axis<T>(p, how.from.columns, how.to.columns), cell_column);
          sum += of_row * of_column * in[((q - up) * how.to.columns + p - left) * maps_grad.stride];
        }
      }
      out[e] = sum;
    });
  }
};

/// The tokens of an image at their places of the grid.
template <class T>
struct spread_tokens {
  matrix_view<T const> tokens;
  std::span<index_t const> offsets;
  std::span<index_t const> position;
  index_t cells_of_image = 0;
  matrix_view<T> cells;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    T* const origin = cells.data + image * cells_of_image * cells.stride;
    index_t const first = offsets[static_cast<std::size_t>(image)] + 1;
    index_t const last = offsets[static_cast<std::size_t>(image) + 1];
    block.for_each(cells.cols, [&](index_t i) {
      for (index_t cell = 0; cell < cells_of_image; ++cell) origin[cell * cells.stride + i] = T{0};
      for (index_t row = first; row < last; ++row) {
        index_t const cell = position[static_cast<std::size_t>(row)] - 1;
        origin[cell * cells.stride + i] = tokens.data[row * tokens.stride + i];
      }
    });
  }
};

template <class T, class Y>
struct collect_tokens {
  matrix_view<T const> cells;
  std::span<index_t const> offsets;
  std::span<index_t const> position;
  index_t cells_of_image = 0;
  matrix_view<Y> tokens;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    T const* const origin = cells.data + image * cells_of_image * cells.stride;
    index_t const first = offsets[static_cast<std::size_t>(image)];
    index_t const last = offsets[static_cast<std::size_t>(image) + 1];
    for (index_t row = first; row < last; ++row) {
      Y* const out = tokens.data + row * tokens.stride;
      T const* const in = origin + (position[static_cast<std::size_t>(row)] - 1) * cells.stride;
      bool const is_patch = row > first;
      block.for_each(tokens.cols,
                     [&](index_t i) { out[i] = static_cast<Y>(is_patch ? in[i] : T{0}); });
    }
  }
};

}  // namespace kernel

/// Puts the patch tokens of each image at their places of its grid, zero where a patch was not seen
/// and for the class token, which has none. tokens (R, C), each image's class token first; position
/// (R), of a patch token its patch + 1; cells (B * N, C).
template <Lane L, class T = scalar_of<L>>
void spread_tokens_forward(L const& lane,
                           matrix_view<scalar_of<L> const> tokens,
                           row_offsets const& offsets,
                           std::span<index_t const> position,
                           matrix_view<scalar_of<L>> cells) {
  index_t const images = offsets.images();
  assert(cells.rows % std::max<index_t>(images, 1) == 0 && tokens.cols == cells.cols);
  lane.for_rows(
      images,
      kernel::spread_tokens<T>{tokens, offsets.values(), position, cells.rows / images, cells});
}

/// Writes the gradient of every token (R, C), as scalars or as operands of a product; that of the
/// class token is zero.
template <Lane L, class Y>
void spread_tokens_backward(L const& lane,
                            matrix_view<scalar_of<L> const> cells_grad,
                            row_offsets const& offsets,
                            std::span<index_t const> position,
                            matrix_view<Y> tokens_grad) {
  index_t const images = offsets.images();
  lane.for_rows(images,
                kernel::collect_tokens<scalar_of<L>, Y>{
                    cells_grad, offsets.values(), position, cells_grad.rows / images, tokens_grad});
}

/// Maps at another size: see map_resize. cells (B * from.size(), window * K); maps
/// (B * to.size(), K).
template <Lane L, class T = scalar_of<L>>
void resample_maps_forward(L const& lane,
                           map_resize const& how,
                           matrix_view<scalar_of<L> const> cells,
                           matrix_view<scalar_of<L>> maps) {
  assert(how.reach <= most_reach && cells.cols == how.window() * maps.cols);
  assert(cells.rows / how.from.size() == maps.rows / how.to.size());
  lane.for_rows(maps.rows, kernel::resample_cell<T>{cells, how, maps});
}

/// Writes the gradient of the cells.
template <Lane L, class T = scalar_of<L>>
void resample_maps_backward(L const& lane,
                            map_resize const& how,
                            matrix_view<scalar_of<L> const> maps_grad,
                            matrix_view<scalar_of<L>> cells_grad) {
  assert(cells_grad.cols == how.window() * maps_grad.cols);
  lane.for_rows(cells_grad.rows, kernel::resample_cell_grad<T>{maps_grad, how, cells_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
