#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <iterator>
#include <span>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct set_row_to_zero {
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const out = y.data + row * y.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] = T{0}; });
  }
};

template <class T>
struct set_element_to_zero {
  T* y;

  MAE_HOST_DEVICE void operator()(index_t i) const { y[i] = T{0}; }
};

}  // namespace kernel

/// y = 0. Products add to their result, so a fresh one starts here.
template <Lane L>
void set_zero(L const& lane, matrix_view<scalar_of<L>> y) {
  lane.for_rows(y.rows, kernel::set_row_to_zero<scalar_of<L>>{y});
}
template <Lane L, class T>
void set_zero(L const& lane, std::span<T> y) {
  lane.for_each(std::ssize(y), kernel::set_element_to_zero<T>{y.data()});
}

}  // namespace MAE_ISA
}  // namespace mae
