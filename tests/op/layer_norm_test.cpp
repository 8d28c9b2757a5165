#include "fixture.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/layer_norm.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace {

using mae::index_t;
using mae_test::padded_matrix;

/// Row by row in double, the textbook's formula.
template <class T>
padded_matrix<T> plain_layer_norm(padded_matrix<T> const& x,
                                  padded_matrix<T> const& weight,
                                  padded_matrix<T> const& bias,
                                  double epsilon) {
  auto const [rows, cols] = std::pair(x.view().rows, x.view().cols);
  padded_matrix<T> y(rows, cols);
  for (index_t row = 0; row < rows; ++row) {
    double mean = 0;
    for (index_t col = 0; col < cols; ++col) mean += x(row, col) / static_cast<double>(cols);
    double variance = 0;
    for (index_t col = 0; col < cols; ++col)
      variance += std::pow(x(row, col) - mean, 2) / static_cast<double>(cols);
    for (index_t col = 0; col < cols; ++col)
      y.view()(row, col) = static_cast<T>(
          (x(row, col) - mean) / std::sqrt(variance + epsilon) * weight(0, col) + bias(0, col));
  }
  return y;
}

}  // namespace

TEST_CASE_TEMPLATE("layer norm equals a plain loop, for every width's remainder",
                   T,
                   float,
                   double) {
  for (index_t const width : {1, 3, 15, 16, 17, 20, 33}) {
    auto random = mae_test::stream_of(2);
    padded_matrix<T> const x(5, width, random);
    padded_matrix<T> const weight(1, width, random);
    padded_matrix<T> const bias(1, width, random);
    padded_matrix<T> y(5, width, std::numeric_limits<T>::quiet_NaN());
    padded_matrix<T> statistics(5, 2);
    mae::layer_norm_forward(mae::eigen_lane<T>{},
                            x.view(),
                            {weight.vector(), bias.vector()},
                            T(1e-6),
                            y.view(),
                            statistics.view());
    CAPTURE(width);
    CHECK(mae_test::largest_difference(y, plain_layer_norm(x, weight, bias, 1e-6)) <=
          100 * std::numeric_limits<T>::epsilon());
    CHECK(y.gaps_are_intact());
    CHECK(statistics.gaps_are_intact());
  }
}

TEST_CASE("the statistics are the mean and the inverse deviation") {
  padded_matrix<double> x(1, 4);
  for (index_t col = 0; col < 4; ++col) x.view()(0, col) = static_cast<double>(2 * col);  // 0 2 4 6
  padded_matrix<double> const one(1, 4, 1.0);
  padded_matrix<double> const zero(1, 4);
  padded_matrix<double> y(1, 4);
  padded_matrix<double> statistics(1, 2);
  mae::layer_norm_forward(mae::eigen_lane<double>{},
                          x.view(),
                          {one.vector(), zero.vector()},
                          4.0,
                          y.view(),
                          statistics.view());
  CHECK(statistics(0, 0) == 3);
  CHECK(statistics(0, 1) == doctest::Approx(1.0 / 3).epsilon(1e-15));  // variance 5, epsilon 4
  CHECK(y(0, 0) == doctest::Approx(-1).epsilon(1e-15));
}

TEST_CASE("a NaN spoils its own row and no other") {
  padded_matrix<float> x(3, 20, 0.5F);
  x.view()(1, 7) = std::numeric_limits<float>::quiet_NaN();
  padded_matrix<float> const one(1, 20, 1.0F);
  padded_matrix<float> y(3, 20);
  padded_matrix<float> statistics(3, 2);
  mae::layer_norm_forward(mae::eigen_lane<float>{},
                          x.view(),
                          {one.vector(), one.vector()},
                          1e-6F,
                          y.view(),
                          statistics.view());
  for (index_t col = 0; col < 20; ++col) {
    CHECK(y(0, col) == 1);  // a constant row leaves the bias
    CHECK(std::isnan(y(1, col)));
    CHECK(y(2, col) == 1);
  }
}

TEST_CASE("layer norm and its gradients are PyTorch's, rows of tiny and of no variance too") {
  mae_test::fixture const ops("ops");
  auto const x = ops.matrix("layer_norm.x");
  auto const weight = ops.matrix("layer_norm.weight");
  auto const bias = ops.matrix("layer_norm.bias");
  auto const y_grad = ops.matrix("layer_norm.y_grad");
  auto const [rows, width] = std::pair(x.view().rows, x.view().cols);
  mae::norm_weights<float const> const weights{weight.vector(), bias.vector()};
  mae::eigen_lane<float> const lane;

  padded_matrix<float> y(rows, width);
  padded_matrix<float> statistics(rows, 2);
  float const epsilon = std::stof(ops.metadata("norm_epsilon"));
  mae::layer_norm_forward(lane, x.view(), weights, epsilon, y.view(), statistics.view());
  mae_test::check_output(y, ops.matrix("layer_norm.y"));

  padded_matrix<float> x_grad(rows, width);
  padded_matrix<float> weight_grad(1, width);
  padded_matrix<float> bias_grad(1, width);
  mae::layer_norm_backward(lane,
                           x.view(),
                           weights,
                           statistics.view(),
                           y_grad.view(),
                           x_grad.view(),
                           {weight_grad.vector(), bias_grad.vector()});
  mae_test::check_gradient_parity(x_grad, ops.matrix("layer_norm.x_grad"));
  mae_test::check_gradient_parity(weight_grad, ops.matrix("layer_norm.weight_grad"));
  mae_test::check_gradient_parity(bias_grad, ops.matrix("layer_norm.bias_grad"));
}
