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
struct add_row_times {
  T const* factor;
  matrix_view<T const> x;
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const times = *factor;
    T const* const in = x.data + row * x.stride;
    T* const out = y.data + row * y.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] += times * in[i]; });
  }
};

}  // namespace kernel

/// y += *factor * x, both (rows, D). The factor lies in the lane's memory: what is recorded reads
/// it anew.
template <Lane L, class T = scalar_of<L>>
void add_times(L const& lane,
               scalar_of<L> const* factor,
               matrix_view<scalar_of<L> const> x,
               matrix_view<scalar_of<L>> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  lane.for_rows(y.rows, kernel::add_row_times<T>{factor, x, y});
}

}  // namespace MAE_ISA
}  // namespace mae
