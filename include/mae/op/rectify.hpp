#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T, class Y>
struct rectify_row {
  matrix_view<T const> x;
  matrix_view<Y> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    Y* const out = y.data + row * y.stride;
    store_by_block(block, y.cols, out, [&](index_t i) { return in[i] > T{0} ? in[i] : T{0}; });
  }
};

template <class T>
struct rectify_row_grad {
  matrix_view<T const> x;
  matrix_view<T> grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    T* const out = grad.data + row * grad.stride;
    block.for_each(grad.cols, [&](index_t i) { out[i] = in[i] > T{0} ? out[i] : T{0}; });
  }
};

}  // namespace kernel

/// y = max(x, 0), as scalars or as operands of a product. x, y (rows, D).
template <Lane L, class Y>
void rectify_forward(L const& lane, matrix_view<scalar_of<L> const> x, matrix_view<Y> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  lane.for_rows(y.rows, kernel::rectify_row<scalar_of<L>, Y>{x, y});
}

/// Makes of the gradient of y, in place, that of x.
template <Lane L, class T = scalar_of<L>>
void rectify_backward(L const& lane,
                      matrix_view<scalar_of<L> const> x,
                      matrix_view<scalar_of<L>> grad) {
  assert(x.rows == grad.rows && x.cols == grad.cols);
  lane.for_rows(grad.rows, kernel::rectify_row_grad<T>{x, grad});
}

}  // namespace MAE_ISA
}  // namespace mae
