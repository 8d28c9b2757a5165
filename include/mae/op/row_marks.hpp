#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <span>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct keep_counted_loss {
  matrix_view<T const> marks;
  T* losses;

  MAE_HOST_DEVICE void operator()(index_t i) const {
    if (!(marks.data[i * marks.stride] > T{0})) losses[i] = T{0};
  }
};

template <class T>
struct weigh_row {
  matrix_view<T const> marks;
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const mark = marks.data[row * marks.stride];
    T const weight = mark < T{0} ? -mark : mark;
    T* const out = y.data + row * y.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] *= weight; });
  }
};

}  // namespace kernel

/// Makes losses 0 that are not counted. marks (rows, 1): a row's weight, below 0 or 0 where its
/// loss is not counted.
template <Lane L, class T = scalar_of<L>>
void keep_counted_losses(L const& lane,
                         matrix_view<scalar_of<L> const> marks,
                         std::span<scalar_of<L>> losses) {
  assert(static_cast<index_t>(losses.size()) == marks.rows);
  lane.for_each(marks.rows, kernel::keep_counted_loss<T>{marks, losses.data()});
}

/// Multiplies each row by its weight, the magnitude of its mark. y (rows, cols).
template <Lane L, class T = scalar_of<L>>
void weigh_rows(L const& lane, matrix_view<scalar_of<L> const> marks, matrix_view<scalar_of<L>> y) {
  assert(marks.rows == y.rows);
  lane.for_rows(y.rows, kernel::weigh_row<T>{marks, y});
}

}  // namespace MAE_ISA
}  // namespace mae
