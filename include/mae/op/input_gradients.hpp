#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/tokens.hpp>

#include <cassert>

namespace mae {
inline namespace MAE_ISA {

/// Backward passes of what does not learn: the gradient of the input alone.

/// Of linear_forward: x_grad (rows, in) = dy W.
template <Lane L, class X>
void linear_backward_input(L const& lane,
                           linear_operands<L> const& weights,
                           matrix_view<operand_of<L> const> y_grad,
                           matrix_view<X> x_grad) {
  assert(y_grad.rows == x_grad.rows);
  lane.multiply(y_grad, weights.backward, kernel::store_product<scalar_of<L>, X>{x_grad});
}

/// Of layer_norm_forward: adds to x_grad (rows, D).
template <Lane L, class T = scalar_of<L>>
void layer_norm_backward_input(L const& lane,
                               matrix_view<scalar_of<L> const> x,
                               norm_weights<scalar_of<L> const> weights,
                               matrix_view<scalar_of<L> const> statistics,
                               matrix_view<scalar_of<L> const> y_grad,
                               matrix_view<scalar_of<L>> x_grad) {
  assert(x.rows == y_grad.rows && x.rows == x_grad.rows);
  lane.for_rows(
      x.rows, kernel::layer_norm_row_grad<T>{x, statistics, weights.weight.data(), y_grad, x_grad});
}

/// Of place_tokens_forward, likewise a copy: where a row of x is the source of none, its gradient
/// stays what it is.
template <Lane L, class T = scalar_of<L>>
void place_tokens_backward_input(L const& lane,
                                 matrix_view<scalar_of<L> const> y_grad,
                                 token_sources from,
                                 matrix_view<scalar_of<L>> x_grad) {
  lane.for_rows(y_grad.rows, kernel::return_token_row_grad<T>{y_grad, from.source, x_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
