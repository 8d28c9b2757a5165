#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <array>
#include <cassert>
#include <span>
#include <type_traits>

namespace mae {
inline namespace MAE_ISA {

/// The parameters of a linear layer, or their gradients.
template <class T>
struct linear_weights {
  matrix_view<T> weight;  // (out, in)
  std::span<T> bias;      // (out)
};

/// How a lane packs a layer's weights (cols, depth) for the products of forward passes: as any
/// right operand, or, for inference alone, as a type of its own, packed_weights, which `multiply`
/// takes too.
template <Lane L>
struct weight_packing {
  using packed = typename L::packed;
  using cell = typename L::cell;
  static constexpr bool is_for_training = true;

  static index_t cells(index_t depth, index_t cols) { return L::packed_cells(depth, cols); }
  static packed at(cell* memory, index_t depth, index_t cols) {
    return L::packed_transposed_at(memory, depth, cols);
  }
  template <class T>
  static void pack(L const& lane, matrix_view<T> weights, cell* memory) {
    lane.pack_transposed(weights, memory);
  }
};
template <Lane L>
requires requires {
  typename L::packed_weights;
}
struct weight_packing<L> {
  using packed = typename L::packed_weights;
  using cell = typename L::cell;
  static constexpr bool is_for_training = false;

  static index_t cells(index_t depth, index_t cols) { return L::weight_cells(depth, cols); }
  static packed at(cell* memory, index_t depth, index_t cols) {
    return L::weights_at(memory, depth, cols);
  }
  template <class T>
  static void pack(L const& lane, matrix_view<T> weights, cell* memory) {
    lane.pack_weights(weights, memory);
  }
};

/// The parameters of a linear layer as products read them: packed once a step, in the type that
/// the lane multiplies.
template <Lane L>
struct linear_operands {
  typename weight_packing<L>::packed forward;  // W^T (in, out)
  typename L::packed backward;                 // W (out, in)
  std::span<typename L::scalar const> bias;    // (out)
};

namespace kernel {

/// The epilogues below take the columns [col, col + count) of a row of a product; `meets` says
/// where the rows lie that those from (row, col) on are written to or combined with. Those that
/// are affine say what they do, so that a lane may leave it to a library's product:
/// y = addend + product + bias, where addend and bias may be missing.
template <class T, class Y>
struct affine_result {
  T const* bias;                // (cols)
  matrix_view<Y const> addend;  // may be y
  matrix_view<Y> y;
};

template <class T, class Y>
struct store_product {
  static constexpr bool is_affine = true;
  matrix_view<Y> y;

  affine_result<T, Y> affine() const { return {nullptr, {}, y}; }
  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return {memory_from(y, row, col)};
  }
  template <class Count>
  MAE_HOST_DEVICE void operator()(T const* values, index_t row, index_t col, Count count) const {
    Y* __restrict const out = y.data + row * y.stride + col;
    round_each(count, values, out);
  }
};

template <class T>
struct add_to_product {
  static constexpr bool is_affine = true;
  matrix_view<T> y;

  affine_result<T, T> affine() const { return {nullptr, y, y}; }
  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return {memory_from(y, row, col)};
  }
  template <class Count>
  MAE_HOST_DEVICE void operator()(T const* values, index_t row, index_t col, Count count) const {
    T* __restrict const out = y.data + row * y.stride + col;
    for (index_t i = 0; i < count; ++i) out[i] += values[i];
  }
};

template <class T, class Y>
struct store_with_bias {
  static constexpr bool is_affine = true;
  T const* bias;
  matrix_view<Y> y;

  affine_result<T, Y> affine() const { return {bias, {}, y}; }
  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return {memory_from(y, row, col)};
  }
  template <class Count>
  MAE_HOST_DEVICE void operator()(T const* values, index_t row, index_t col, Count count) const {
    T const* const b = bias + col;
    Y* __restrict const out = y.data + row * y.stride + col;
    store_each(count, out, [&](index_t i) { return values[i] + b[i]; });
  }
};

template <class T>
struct store_with_bias_and_residual {
  static constexpr bool is_affine = true;
  T const* bias;
  matrix_view<T const> residual;
  matrix_view<T> y;  // may be the residual: each value is read before it is written

  affine_result<T, T> affine() const { return {bias, residual, y}; }
  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return {memory_from(y, row, col), memory_from(residual, row, col)};
  }
  template <class Count>
  MAE_HOST_DEVICE void operator()(T const* values, index_t row, index_t col, Count count) const {
    T const* const b = bias + col;
    T const* const in = residual.data + row * residual.stride + col;
    T* const out = y.data + row * y.stride + col;
    for (index_t i = 0; i < count; ++i) out[i] = in[i] + values[i] + b[i];
  }
};

template <class T, class O>
struct matrix_element {
  matrix_view<O const> values;
  MAE_HOST_DEVICE T operator()(index_t row, index_t col) const {
    return static_cast<T>(values.data[row * values.stride + col]);
  }
};

template <class T, class O>
struct convert_row {
  matrix_view<T const> x;
  matrix_view<O> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    O* __restrict const out = y.data + row * y.stride;
    round_by_block(block, x.cols, in, out);
  }
};

}  // namespace kernel

/// y (rows, out) = x (rows, in) W^T + b, as scalars or as operands of a further product.
template <Lane L, class Y>
void linear_forward(L const& lane,
                    matrix_view<operand_of<L> const> x,
                    linear_operands<L> const& weights,
                    matrix_view<Y> y) {
  assert(x.rows == y.rows && y.cols == weights.forward.cols);
  lane.multiply(
      x, weights.forward, kernel::store_with_bias<scalar_of<L>, Y>{weights.bias.data(), y});
}

/// y (rows, out) = residual (rows, out) + x W^T + b. `y` may be `residual`.
template <Lane L>
void linear_residual_forward(L const& lane,
                             matrix_view<operand_of<L> const> x,
                             linear_operands<L> const& weights,
                             matrix_view<scalar_of<L> const> residual,
                             matrix_view<scalar_of<L>> y) {
  assert(x.rows == y.rows && residual.rows == y.rows && residual.cols == y.cols);
  lane.multiply(
      x,
      weights.forward,
      kernel::store_with_bias_and_residual<scalar_of<L>>{weights.bias.data(), residual, y});
}

/// Adds dW += dy^T x and db += the column sums of dy: all of the backward pass but dx.
template <Lane L>
void linear_backward_weights(L const& lane,
                             matrix_view<operand_of<L> const> x,
                             matrix_view<operand_of<L> const> y_grad,
                             linear_weights<scalar_of<L>> weights_grad) {
  using T = scalar_of<L>;
  lane.multiply_transposed(y_grad, x, kernel::add_to_product<T>{weights_grad.weight});
  lane.add_column_sums(
      y_grad.rows, kernel::matrix_element<T, operand_of<L>>{y_grad}, weights_grad.bias);
}

/// The backward pass of linear_forward: x_grad = dy W, and the weights' gradients are added to. The
/// residual of linear_residual_forward has gradient dy itself.
template <Lane L, class X>
void linear_backward(L const& lane,
                     matrix_view<operand_of<L> const> x,
                     linear_operands<L> const& weights,
                     matrix_view<operand_of<L> const> y_grad,
                     matrix_view<X> x_grad,
                     linear_weights<scalar_of<L>> weights_grad) {
  lane.multiply(y_grad, weights.backward, kernel::store_product<scalar_of<L>, X>{x_grad});
  linear_backward_weights(lane, x, y_grad, weights_grad);
}

/// The same where others' gradients of x are in x_grad already: it is added to.
template <Lane L>
void linear_backward_added(L const& lane,
                           matrix_view<operand_of<L> const> x,
                           linear_operands<L> const& weights,
                           matrix_view<operand_of<L> const> y_grad,
                           matrix_view<scalar_of<L>> x_grad,
                           linear_weights<scalar_of<L>> weights_grad) {
  lane.multiply(y_grad, weights.backward, kernel::add_to_product<scalar_of<L>>{x_grad});
  linear_backward_weights(lane, x, y_grad, weights_grad);
}

/// x as operands of a product: x itself where the lane multiplies scalars, else a copy in `room`
/// (at least the rows of x).
template <Lane L>
matrix_view<operand_of<L> const> as_operands(L const& lane,
                                             matrix_view<scalar_of<L> const> x,
                                             matrix_view<operand_of<L>> room) {
  if constexpr (std::is_same_v<operand_of<L>, scalar_of<L>>) {
    return x;
  } else {
    auto const copy = room.middle_rows(0, x.rows);
    lane.for_rows(x.rows, kernel::convert_row<scalar_of<L>, operand_of<L>>{x, copy});
    return copy;
  }
}

}  // namespace MAE_ISA
}  // namespace mae
