#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct copy_whole_row {
  matrix_view<T const> x;
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    T* const out = y.data + row * y.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] = in[i]; });
  }
};

}  // namespace kernel

/// y = x, both (rows, D).
template <Lane L, class T = scalar_of<L>>
void copy_rows(L const& lane, matrix_view<scalar_of<L> const> x, matrix_view<scalar_of<L>> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  lane.for_rows(y.rows, kernel::copy_whole_row<T>{x, y});
}

}  // namespace MAE_ISA
}  // namespace mae
