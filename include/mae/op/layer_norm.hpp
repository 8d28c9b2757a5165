#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/linear.hpp>

#include <cassert>
#include <cmath>
#include <span>

namespace mae {
inline namespace MAE_ISA {

/// The parameters of a layer norm, or their gradients.
template <class T>
struct norm_weights {
  std::span<T> weight;  // (D)
  std::span<T> bias;    // (D)
};

namespace kernel {

template <class T, class Y>
struct layer_norm_row {
  matrix_view<T const> x;
  T const* weight;
  T const* bias;
  T epsilon;
  matrix_view<Y> y;
  matrix_view<T> statistics;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    Y* const out = y.data + row * y.stride;
    T const count = static_cast<T>(x.cols);
    T const mean = block.template sum<T>(x.cols, [&](index_t i) { return in[i]; }) / count;
    T const variance = block.template sum<T>(x.cols, [&](index_t i) {
      return (in[i] - mean) * (in[i] - mean);
    }) / count;
    T const scale = T{1} / std::sqrt(variance + epsilon);
    store_by_block(block, x.cols, out, [&](index_t i) {
      return (in[i] - mean) * scale * weight[i] + bias[i];
    });
    block.single([&] {
      statistics.data[row * statistics.stride] = mean;
      statistics.data[row * statistics.stride + 1] = scale;
    });
  }
};

template <class T>
struct layer_norm_row_grad {
  matrix_view<T const> x;
  matrix_view<T const> statistics;
  T const* weight;
  matrix_view<T const> y_grad;
  matrix_view<T> x_grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const in = x.data + row * x.stride;
    T const* const dy = y_grad.data + row * y_grad.stride;
    T* const dx = x_grad.data + row * x_grad.stride;
    T const count = static_cast<T>(x.cols);
    T const mean = statistics.data[row * statistics.stride];
    T const scale = statistics.data[row * statistics.stride + 1];
    auto const normal = [&](index_t i) { return (in[i] - mean) * scale; };
    // With g = dy * weight: dx = scale * (g - mean(g) - normal * mean(g * normal)).
    T const g_mean =
        block.template sum<T>(x.cols, [&](index_t i) { return dy[i] * weight[i]; }) / count;
    T const gn_mean = block.template sum<T>(x.cols, [&](index_t i) {
      return dy[i] * weight[i] * normal(i);
    }) / count;
    block.for_each(x.cols, [&](index_t i) {
      dx[i] += scale * (dy[i] * weight[i] - g_mean - normal(i) * gn_mean);
    });
  }
};

template <class T>
struct layer_norm_weight_grad {
  matrix_view<T const> x;
  matrix_view<T const> statistics;
  matrix_view<T const> y_grad;

  MAE_HOST_DEVICE T operator()(index_t row, index_t col) const {
    T const mean = statistics.data[row * statistics.stride];
    T const scale = statistics.data[row * statistics.stride + 1];
    return y_grad.data[row * y_grad.stride + col] * (x.data[row * x.stride + col] - mean) * scale;
  }
};

}  // namespace kernel

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over each row (Ba, Kiros, Hinton 2016,
/// arXiv 1607.06450; the variance is the biased one). x (rows, D); y (rows, D), as scalars or as
/// operands of a product; statistics (rows, 2): mean and inverse deviation, for the backward pass.
template <Lane L, class Y>
void layer_norm_forward(L const& lane,
                        matrix_view<scalar_of<L> const> x,
                        norm_weights<scalar_of<L> const> weights,
                        scalar_of<L> epsilon,
                        matrix_view<Y> y,
                        matrix_view<scalar_of<L>> statistics) {
  assert(x.rows == y.rows && x.cols == y.cols && statistics.rows == x.rows);
  if constexpr (L::fused.layer_norm)
    if (lane.can_normalise(x.cols))
      return lane.normalise(x, weights.weight.data(), weights.bias.data(), epsilon, y, statistics);
  lane.for_rows(x.rows,
                kernel::layer_norm_row<scalar_of<L>, Y>{
                    x, weights.weight.data(), weights.bias.data(), epsilon, y, statistics});
}

/// Adds to x_grad, since a pre-norm block's input has the residual's gradient as well, and to the
/// weights' gradients.
template <Lane L, class T = scalar_of<L>>
void layer_norm_backward(L const& lane,
                         matrix_view<scalar_of<L> const> x,
                         norm_weights<scalar_of<L> const> weights,
                         matrix_view<scalar_of<L> const> statistics,
                         matrix_view<scalar_of<L> const> y_grad,
                         matrix_view<scalar_of<L>> x_grad,
                         norm_weights<scalar_of<L>> weights_grad) {
  if constexpr (L::fused.layer_norm)
    if (lane.can_normalise(x.cols))
      return lane.normalise_backward(x,
                                     weights.weight.data(),
                                     statistics,
                                     y_grad,
                                     x_grad,
                                     weights_grad.weight.data(),
                                     weights_grad.bias.data());
  lane.for_rows(
      x.rows, kernel::layer_norm_row_grad<T>{x, statistics, weights.weight.data(), y_grad, x_grad});
  lane.add_column_sums(
      x.rows, kernel::layer_norm_weight_grad<T>{x, statistics, y_grad}, weights_grad.weight);
  lane.add_column_sums(x.rows, kernel::matrix_element<T, T>{y_grad}, weights_grad.bias);
}

}  // namespace MAE_ISA
}  // namespace mae
