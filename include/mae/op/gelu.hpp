#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct gelu_row {
  matrix_view<T const> x;
  matrix_view<T> y;

  template <class Block>
  void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    T* const out = y.data + row * y.stride;
    block.for_each(x.cols,
                   [&](index_t i) { out[i] = in[i] * normal_distribution(in[i]).cumulative; });
  }
};

template <class T>
struct gelu_row_grad {
  matrix_view<T const> x;
  matrix_view<T> grad;

  template <class Block>
  void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    T* const d = grad.data + row * grad.stride;
    block.for_each(x.cols, [&](index_t i) {
      auto const normal = normal_distribution(in[i]);
      d[i] *= normal.cumulative + in[i] * normal.density;
    });
  }
};

}  // namespace kernel

/// y = x Phi(x), the erf form (Hendrycks and Gimpel 2016, arXiv 1606.08415). x, y (rows, D).
template <Lane L, class T = scalar_of<L>>
void gelu_forward(L const& lane, matrix_view<scalar_of<L> const> x, matrix_view<scalar_of<L>> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  lane.for_rows(x.rows, kernel::gelu_row<T>{x, y});
}

/// grad *= Phi(x) + x phi(x): the gradient of y becomes that of x, in place. x, grad (rows, D).
template <Lane L, class T = scalar_of<L>>
void gelu_backward(L const& lane,
                   matrix_view<scalar_of<L> const> x,
                   matrix_view<scalar_of<L>> grad) {
  assert(x.rows == grad.rows && x.cols == grad.cols);
  lane.for_rows(x.rows, kernel::gelu_row_grad<T>{x, grad});
}

}  // namespace MAE_ISA
}  // namespace mae
