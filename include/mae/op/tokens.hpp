#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/set_zero.hpp>

#include <cassert>
#include <span>

namespace mae {
inline namespace MAE_ISA {

/// Where each row of a sequence comes from: a row of the input, or `shared_token` for the one
/// vector that stands in wherever the input has nothing (the class token, a mask token); and its
/// position. Those of an image's rows ascend. Where tokens are told levels, that too.
struct token_sources {
  static constexpr index_t shared_token = -1;
  static constexpr index_t no_level = -1;

  std::span<index_t const> source;      // (rows)
  std::span<index_t const> position;    // (rows), a row of the table of positions
  std::span<index_t const> level = {};  // (rows), one of the table of levels or no_level; or none
};

namespace kernel {

template <class T>
struct place_token_row {
  matrix_view<T const> x;
  T const* shared;
  matrix_view<T const> positions;
  token_sources from;
  matrix_view<T> y;
  matrix_view<T const> levels;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const source = from.source[static_cast<std::size_t>(row)];
    index_t const position = from.position[static_cast<std::size_t>(row)];
    index_t const level =
        from.level.empty() ? token_sources::no_level : from.level[static_cast<std::size_t>(row)];
    T const* const in = source < 0 ? shared : x.data + source * x.stride;
    T const* const place = positions.data + position * positions.stride;
    T* const out = y.data + row * y.stride;
    if (level < 0) return block.for_each(y.cols, [&](index_t i) { out[i] = in[i] + place[i]; });
    T const* const told = levels.data + level * levels.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] = in[i] + place[i] + told[i]; });
  }
};

template <class T>
struct return_token_row_grad {
  matrix_view<T const> y_grad;
  std::span<index_t const> source;
  matrix_view<T> x_grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const to = source[static_cast<std::size_t>(row)];
    if (to < 0) return;
    T const* const in = y_grad.data + row * y_grad.stride;
    T* const out = x_grad.data + to * x_grad.stride;
    block.for_each(x_grad.cols, [&](index_t i) { out[i] = in[i]; });
  }
};

template <class T>
struct token_slope_row {
  matrix_view<T const> x;
  matrix_view<T const> y_grad;
  std::span<index_t const> source;
  T* slopes;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const from = source[static_cast<std::size_t>(row)];
    if (from < 0) return;
    T const* const value = x.data + from * x.stride;
    T const* const grad = y_grad.data + row * y_grad.stride;
    T const sum = block.template sum<T>(x.cols, [&](index_t i) { return value[i] * grad[i]; });
    block.single([&] { slopes[from] = sum; });
  }
};

template <class T>
struct shared_token_grad {
  matrix_view<T const> y_grad;
  std::span<index_t const> source;

  MAE_HOST_DEVICE T operator()(index_t row, index_t col) const {
    return source[static_cast<std::size_t>(row)] < 0 ? y_grad.data[row * y_grad.stride + col]
                                                     : T{0};
  }
};

template <class T>
struct add_position_grad {
  matrix_view<T const> y_grad;
  std::span<index_t const> position;
  std::span<index_t const> offsets;
  matrix_view<T> grad;

  /// The row of an image that has this position; `last` where it has none.
  MAE_HOST_DEVICE index_t find(index_t wanted, index_t first, index_t last) const {
    index_t const end = last;
    while (first < last) {
      index_t const middle = first + (last - first) / 2;
      if (position[static_cast<std::size_t>(middle)] < wanted)
        first = middle + 1;
      else
        last = middle;
    }
    return first < end && position[static_cast<std::size_t>(first)] == wanted ? first : end;
  }

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const sum = grad.data + row * grad.stride;
    for (std::size_t image = 0; image + 1 < offsets.size(); ++image) {
      index_t const last = offsets[image + 1];
      index_t const from = find(row, offsets[image], last);
      if (from == last) continue;
      T const* const in = y_grad.data + from * y_grad.stride;
      block.for_each(grad.cols, [&](index_t i) { sum[i] += in[i]; });
    }
  }
};

template <class T>
struct add_level_grad {
  matrix_view<T const> y_grad;
  std::span<index_t const> level;
  matrix_view<T> grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const sum = grad.data + row * grad.stride;
    for (index_t from = 0; from < y_grad.rows; ++from) {
      if (level[static_cast<std::size_t>(from)] != row) continue;
      T const* const in = y_grad.data + from * y_grad.stride;
      block.for_each(grad.cols, [&](index_t i) { sum[i] += in[i]; });
    }
  }
};

template <class T, class Y>
struct copy_row {
  matrix_view<T const> x;
  std::span<index_t const> from;
  matrix_view<Y> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + from[static_cast<std::size_t>(row)] * x.stride;
    Y* const out = y.data + row * y.stride;
    round_by_block(block, y.cols, in, out);
  }
};

}  // namespace kernel

/// Lays out a sequence: y[r] = (x[source[r]] or the shared token) + positions[position[r]], and
/// + levels[level[r]] where a row has one. x (inputs, D); shared (D); positions (N + 1, D); y
/// (rows, D); levels (L, D) or none. This is how the encoder puts its class token before the
/// visible patches and how the decoder inserts mask tokens.
template <Lane L, class T = scalar_of<L>>
void place_tokens_forward(L const& lane,
                          matrix_view<scalar_of<L> const> x,
                          std::span<scalar_of<L> const> shared,
                          matrix_view<scalar_of<L> const> positions,
                          token_sources from,
                          matrix_view<scalar_of<L>> y,
                          matrix_view<scalar_of<L> const> levels = {}) {
  assert(static_cast<index_t>(from.source.size()) == y.rows &&
         static_cast<index_t>(shared.size()) == y.cols);
  assert(from.level.empty() || levels.cols == y.cols);
  lane.for_rows(y.rows, kernel::place_token_row<T>{x, shared.data(), positions, from, y, levels});
}

/// Every row of x is the source of at most one row of y, so that its gradient is a copy; where it
/// is of none, its gradient stays what it is. The shared token's gradient is added to. For
/// positions that learn see positions_backward.
template <Lane L, class T = scalar_of<L>>
void place_tokens_backward(L const& lane,
                           matrix_view<scalar_of<L> const> y_grad,
                           token_sources from,
                           matrix_view<scalar_of<L>> x_grad,
                           std::span<scalar_of<L>> shared_grad) {
  lane.for_rows(y_grad.rows, kernel::return_token_row_grad<T>{y_grad, from.source, x_grad});
  lane.add_column_sums(y_grad.rows, kernel::shared_token_grad<T>{y_grad, from.source}, shared_grad);
}

/// The slope of a factor on each row of x, before its position is added: what a gate there would
/// learn, at 1. slopes (inputs); where a row of x is the source of none, its slope stays what it
/// is.
template <Lane L, class T = scalar_of<L>>
void place_tokens_slopes(L const& lane,
                         matrix_view<scalar_of<L> const> x,
                         matrix_view<scalar_of<L> const> y_grad,
                         token_sources from,
                         std::span<scalar_of<L>> slopes) {
  assert(std::ssize(slopes) == x.rows && x.cols == y_grad.cols);
  lane.for_rows(y_grad.rows, kernel::token_slope_row<T>{x, y_grad, from.source, slopes.data()});
}

/// Adds to the gradient of the table of positions (N + 1, D): that of each row, in the order of the
/// images. y_grad (rows, D); offsets (B + 1) of the images' rows.
template <Lane L, class T = scalar_of<L>>
void positions_backward(L const& lane,
                        matrix_view<scalar_of<L> const> y_grad,
                        token_sources from,
                        row_offsets const& offsets,
                        matrix_view<scalar_of<L>> positions_grad) {
  assert(y_grad.cols == positions_grad.cols);
  lane.for_rows(
      positions_grad.rows,
      kernel::add_position_grad<T>{y_grad, from.position, offsets.values(), positions_grad});
}

/// Adds to the gradient of the table of levels (L, D) that of each row which has one, in the order
/// of rows. y_grad (rows, D).
template <Lane L, class T = scalar_of<L>>
void levels_backward(L const& lane,
                     matrix_view<scalar_of<L> const> y_grad,
                     std::span<index_t const> level,
                     matrix_view<scalar_of<L>> levels_grad) {
  assert(y_grad.cols == levels_grad.cols && std::ssize(level) == y_grad.rows);
  lane.for_rows(levels_grad.rows, kernel::add_level_grad<T>{y_grad, level, levels_grad});
}

/// y[r] = x[from[r]], as scalars or as operands of a product. x (inputs, D), y (rows, D).
template <Lane L, class Y>
void gather_rows_forward(L const& lane,
                         matrix_view<scalar_of<L> const> x,
                         std::span<index_t const> from,
                         matrix_view<Y> y) {
  assert(static_cast<index_t>(from.size()) == y.rows && x.cols == y.cols);
  lane.for_rows(y.rows, kernel::copy_row<scalar_of<L>, Y>{x, from, y});
}

/// x_grad[from[r]] = y_grad[r], zero elsewhere; `from` holds no row twice.
template <Lane L, class T = scalar_of<L>>
void gather_rows_backward(L const& lane,
                          matrix_view<scalar_of<L> const> y_grad,
                          std::span<index_t const> from,
                          matrix_view<scalar_of<L>> x_grad) {
  assert(static_cast<index_t>(from.size()) == y_grad.rows && x_grad.cols == y_grad.cols);
  set_zero(lane, x_grad);
  lane.for_rows(y_grad.rows, kernel::return_token_row_grad<T>{y_grad, from, x_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
