#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct set_row_to_zero {
  matrix_view<T> y;

  template <class Block>
  void operator()(Block const& block, index_t row) const {
    T* const out = y.data + row * y.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] = T{0}; });
  }
};

}  // namespace kernel

/// y = 0. Products add to their result, so a fresh one starts here.
template <Lane L>
void set_zero(L const& lane, matrix_view<scalar_of<L>> y) {
  lane.for_rows(y.rows, kernel::set_row_to_zero<scalar_of<L>>{y});
}

}  // namespace MAE_ISA
}  // namespace mae
