#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/set_zero.hpp>

#include <cassert>
#include <span>

namespace mae {
inline namespace MAE_ISA {

/// The parameters of a linear layer, or their gradients.
template <class T>
struct linear_weights {
  matrix_view<T> weight;  // (out, in)
  std::span<T> bias;      // (out)
};

namespace kernel {

template <class T>
struct fill_rows_with_bias {
  T const* bias;
  matrix_view<T> y;

  template <class Block>
  void operator()(Block const& block, index_t row) const {
    T* const out = y.data + row * y.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] = bias[i]; });
  }
};

template <class T>
struct fill_rows_with_bias_and_residual {
  T const* bias;
  matrix_view<T const> residual;
  matrix_view<T> y;

  template <class Block>
  void operator()(Block const& block, index_t row) const {
    T const* const in = residual.data + row * residual.stride;
    T* const out = y.data + row * y.stride;
    block.for_each(y.cols, [&](index_t i) { out[i] = in[i] + bias[i]; });
  }
};

template <class T>
struct matrix_element {
  matrix_view<T const> values;
  T operator()(index_t row, index_t col) const { return values.data[row * values.stride + col]; }
};

}  // namespace kernel

/// y (rows, out) = x (rows, in) W^T + b.
template <Lane L, class T = scalar_of<L>>
void linear_forward(L const& lane,
                    matrix_view<scalar_of<L> const> x,
                    linear_weights<scalar_of<L> const> weights,
                    matrix_view<scalar_of<L>> y) {
  assert(x.rows == y.rows && x.cols == weights.weight.cols && y.cols == weights.weight.rows);
  lane.for_rows(y.rows, kernel::fill_rows_with_bias<T>{weights.bias.data(), y});
  lane.add_product(product_form::nt, x, weights.weight, y);
}

/// y (rows, out) = residual (rows, out) + x W^T + b. `y` may be `residual`.
template <Lane L, class T = scalar_of<L>>
void linear_residual_forward(L const& lane,
                             matrix_view<scalar_of<L> const> x,
                             linear_weights<scalar_of<L> const> weights,
                             matrix_view<scalar_of<L> const> residual,
                             matrix_view<scalar_of<L>> y) {
  assert(x.rows == y.rows && residual.rows == y.rows && residual.cols == y.cols);
  lane.for_rows(y.rows,
                kernel::fill_rows_with_bias_and_residual<T>{weights.bias.data(), residual, y});
  lane.add_product(product_form::nt, x, weights.weight, y);
}

/// Adds dW += dy^T x and db += the column sums of dy: all of the backward pass but dx.
template <Lane L, class T = scalar_of<L>>
void linear_backward_weights(L const& lane,
                             matrix_view<scalar_of<L> const> x,
                             matrix_view<scalar_of<L> const> y_grad,
                             linear_weights<scalar_of<L>> weights_grad) {
  lane.add_product(product_form::tn, y_grad, x, weights_grad.weight);
  lane.add_column_sums(y_grad.rows, kernel::matrix_element<T>{y_grad}, weights_grad.bias);
}

/// The backward pass of linear_forward: x_grad = dy W, and the weights' gradients are added to. The
/// residual of linear_residual_forward has gradient dy itself.
template <Lane L, class T = scalar_of<L>>
void linear_backward(L const& lane,
                     matrix_view<scalar_of<L> const> x,
                     linear_weights<scalar_of<L> const> weights,
                     matrix_view<scalar_of<L> const> y_grad,
                     matrix_view<scalar_of<L>> x_grad,
                     linear_weights<scalar_of<L>> weights_grad) {
  set_zero(lane, x_grad);
  lane.add_product(product_form::nn, y_grad, weights.weight, x_grad);
  linear_backward_weights(lane, x, y_grad, weights_grad);
}

}  // namespace MAE_ISA
}  // namespace mae
