#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/linear.hpp>

#include <array>
#include <cassert>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T, class O>
struct store_with_bias_and_gelu {
  static constexpr bool is_affine = false;
  T const* bias;
  matrix_view<O> y;
  matrix_view<O> slope;

  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return {memory_from(y, row, col), memory_from(slope, row, col)};
  }
  /// Always inlined, so that the constants are loaded once a tile and not once a row.
  template <class Count>
  [[gnu::always_inline]] MAE_HOST_DEVICE void operator()(T const* values,
                                                         index_t row,
                                                         index_t col,
                                                         Count count) const {
    T const* const b = bias + col;
    O* __restrict const out = y.data + row * y.stride + col;
    O* __restrict const derivative = slope.data + row * slope.stride + col;
    store_each(count, out, derivative, [&](index_t i) {
      T const x = values[i] + b[i];
      auto const normal = normal_distribution(x);
      return two_values<T>{x * normal.cumulative, normal.cumulative + x * normal.density};
    });
  }
};

template <class T, class O>
struct store_product_by_slope {
  static constexpr bool is_affine = false;
  matrix_view<O const> slope;
  matrix_view<O> grad;

  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return {memory_from(grad, row, col), memory_from(slope, row, col)};
  }
  template <class Count>
  MAE_HOST_DEVICE void operator()(T const* values, index_t row, index_t col, Count count) const {
    O const* const derivative = slope.data + row * slope.stride + col;
    O* __restrict const out = grad.data + row * grad.stride + col;
    store_each(count, out, [&](index_t i) { return values[i] * static_cast<T>(derivative[i]); });
  }
};

}  // namespace kernel

/// y = GELU(h) with h = x W^T + b, GELU(h) = h Phi(h), the erf form (Hendrycks and Gimpel 2016,
/// arXiv 1606.08415); and slope = GELU'(h) = Phi(h) + h phi(h), all that the backward pass needs of
/// h. y, slope (rows, out).
template <Lane L>
void linear_gelu_forward(L const& lane,
                         matrix_view<operand_of<L> const> x,
                         linear_operands<L> const& weights,
                         matrix_view<operand_of<L>> y,
                         matrix_view<operand_of<L>> slope) {
  assert(x.rows == y.rows && y.rows == slope.rows && y.cols == slope.cols);
  lane.multiply(
      x,
      weights.forward,
      kernel::store_with_bias_and_gelu<scalar_of<L>, operand_of<L>>{weights.bias.data(), y, slope});
}

/// The backward pass of a linear layer behind a GELU: from dy to the gradient of what the GELU got,
/// h_grad = (dy W) * slope. Its weights' gradients are linear_backward_weights'.
template <Lane L>
void gelu_linear_backward(L const& lane,
                          linear_operands<L> const& weights,
                          matrix_view<operand_of<L> const> y_grad,
                          matrix_view<operand_of<L> const> slope,
                          matrix_view<operand_of<L>> h_grad) {
  assert(h_grad.rows == slope.rows && h_grad.cols == slope.cols);
  lane.multiply(y_grad,
                weights.backward,
                kernel::store_product_by_slope<scalar_of<L>, operand_of<L>>{slope, h_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
