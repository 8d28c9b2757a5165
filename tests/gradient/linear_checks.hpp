#pragma once

#include "gradient_check.hpp"
#include "padded_matrix.hpp"
#include "prepared_linear.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/op/linear.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace mae_test {

struct linear_shape {
  index_t rows;
  index_t in;
  index_t out;
};
inline constexpr std::array<linear_shape, 3> linear_shapes{{{1, 5, 3}, {7, 4, 9}, {33, 20, 17}}};

/// A linear layer and the gradients that a backward pass adds to.
struct linear_case {
  linear_case(linear_shape shape, mae::random_stream& random)
      : x(shape.rows, shape.in, random),
        weight(shape.out, shape.in, random),
        bias(1, shape.out, random),
        y_grad(shape.rows, shape.out, random),
        weight_grad(shape.out, shape.in, random),
        bias_grad(1, shape.out, random) {}

  prepared_linear<mae::eigen_lane<double>> weights() const {
    return prepared_linear<mae::eigen_lane<double>>({weight.view(), bias.vector()});
  }
  mae::linear_weights<double> weights_grad() { return {weight_grad.view(), bias_grad.vector()}; }

  template <class Forward>
  void check_weights(Forward const& forward) {
    check_gradient("weight", forward, y_grad, weight.view(), weight_grad.added());
    check_gradient("bias", forward, y_grad, bias.view(), bias_grad.added());
  }

  padded_matrix<double> x;
  padded_matrix<double> weight;
  padded_matrix<double> bias;
  padded_matrix<double> y_grad;
  added_gradient weight_grad;
  added_gradient bias_grad;
};

/// The gradient of the input is added to what is there.
inline void check_linear_added(std::size_t shape, std::uint64_t seed) {
  auto const s = linear_shapes[shape];
  auto random = stream_of(seed);
  linear_case layer(s, random);
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(s.rows, s.out, unset);
    mae::linear_forward(lane, layer.x.view(), layer.weights().operands(), y.view());
    return y;
  };
  added_gradient x_grad(s.rows, s.in, random);
  mae::linear_backward_added(lane,
                             layer.x.view(),
                             layer.weights().operands(),
                             layer.y_grad.view(),
                             x_grad.view(),
                             layer.weights_grad());
  check_gradient("x", forward, layer.y_grad, layer.x.view(), x_grad.added());
  layer.check_weights(forward);
}

inline void check_linear(std::size_t shape, std::uint64_t seed) {
  auto const s = linear_shapes[shape];
  auto random = stream_of(seed);
  linear_case layer(s, random);
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(s.rows, s.out, unset);
    mae::linear_forward(lane, layer.x.view(), layer.weights().operands(), y.view());
    return y;
  };
  padded_matrix<double> x_grad(s.rows, s.in, unset);
  mae::linear_backward(lane,
                       layer.x.view(),
                       layer.weights().operands(),
                       layer.y_grad.view(),
                       x_grad.view(),
                       layer.weights_grad());
  check_gradient("x", forward, layer.y_grad, layer.x.view(), x_grad);
  layer.check_weights(forward);
}

/// The residual's gradient is the output's own; the weights' come from the part of the backward
/// pass that leaves x out.
inline void check_linear_residual(std::size_t shape, std::uint64_t seed) {
  auto const s = linear_shapes[shape];
  auto random = stream_of(seed);
  linear_case layer(s, random);
  padded_matrix<double> residual(s.rows, s.out, random);
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(s.rows, s.out, unset);
    mae::linear_residual_forward(
        lane, layer.x.view(), layer.weights().operands(), residual.view(), y.view());
    return y;
  };
  mae::linear_backward_weights(lane, layer.x.view(), layer.y_grad.view(), layer.weights_grad());
  check_gradient("residual", forward, layer.y_grad, residual.view(), layer.y_grad);
  layer.check_weights(forward);
}

}  // namespace mae_test
