#include "fixture.hpp"
#include "padded_matrix.hpp"
#include "prepared_linear.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/gelu.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace {

using mae::index_t;
using mae_test::padded_matrix;

double exact_gelu(double x) {
  return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
}

double exact_slope(double x) {
  double const density = std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
  return 0.5 * std::erfc(-x / std::numbers::sqrt2) + x * density;
}

/// x from -5 to 5 in 11 rows of 21.
template <class T>
padded_matrix<T> some_inputs() {
  constexpr index_t count = 231;
  padded_matrix<T> x(11, 21);
  for (index_t i = 0; i < count; ++i)
    x.view()(i / 21, i % 21) = static_cast<T>(-5 + 10.0 * static_cast<double>(i) / (count - 1));
  return x;
}

/// A layer that adds a bias and nothing else.
template <class T>
mae_test::prepared_linear<mae::eigen_lane<T>> adding(padded_matrix<T> const& bias) {
  index_t const width = bias.view().cols;
  padded_matrix<T> identity(width, width);
  for (index_t i = 0; i < width; ++i) identity.view()(i, i) = 1;
  return mae_test::prepared_linear<mae::eigen_lane<T>>({identity.view(), bias.vector()});
}

template <class T>
struct activated {
  padded_matrix<T> y;
  padded_matrix<T> slope;
};

/// GELU(x + bias) and its slope.
template <class T>
activated<T> activate(padded_matrix<T> const& x, padded_matrix<T> const& bias) {
  auto const unset = std::numeric_limits<T>::quiet_NaN();
  auto const view = x.view();
  activated<T> result{{view.rows, view.cols, unset}, {view.rows, view.cols, unset}};
  mae::linear_gelu_forward(
      mae::eigen_lane<T>{}, view, adding(bias).operands(), result.y.view(), result.slope.view());
  return result;
}

}  // namespace

TEST_CASE_TEMPLATE("GELU is x Phi(x), the erf form, and its slope the derivative",
                   T,
                   float,
                   double) {
  auto const x = some_inputs<T>();
  auto const [y, slope] = activate(x, padded_matrix<T>(1, 21));
  // The tanh form is wrong by up to 4.7e-4.
  double const tolerance = sizeof(T) == 4 ? 1e-6 : 1e-15;
  for (index_t row = 0; row < 11; ++row)
    for (index_t col = 0; col < 21; ++col) {
      REQUIRE(std::abs(y(row, col) - exact_gelu(x(row, col))) <= tolerance);
      REQUIRE(std::abs(slope(row, col) - exact_slope(x(row, col))) <= tolerance);
    }
  CHECK(y.gaps_are_intact());
  CHECK(slope.gaps_are_intact());
}

TEST_CASE_TEMPLATE("a NaN before GELU is a NaN behind it, and in its slope", T, float, double) {
  padded_matrix<T> bias(1, 21);
  bias.view()(0, 9) = std::numeric_limits<T>::quiet_NaN();
  auto const [y, slope] = activate(some_inputs<T>(), bias);
  for (index_t row = 0; row < 11; ++row)
    for (index_t col = 0; col < 21; ++col) {
      REQUIRE(std::isnan(y(row, col)) == (col == 9));
      REQUIRE(std::isnan(slope(row, col)) == (col == 9));
    }
}

TEST_CASE("GELU and its gradient are PyTorch's") {
  mae_test::fixture const ops("ops");
  auto const x = ops.matrix("gelu.x");
  padded_matrix<float> const no_bias(1, x.view().cols);
  auto const [y, slope] = activate(x, no_bias);
  mae_test::check_output(y, ops.matrix("gelu.y"));

  padded_matrix<float> grad(x.view().rows, x.view().cols);
  auto const y_grad = ops.matrix("gelu.y_grad");
  mae::gelu_linear_backward(mae::eigen_lane<float>{},
                            adding(no_bias).operands(),
                            y_grad.view(),
                            slope.view(),
                            grad.view());
  mae_test::check_gradient_parity(grad, ops.matrix("gelu.x_grad"));
}
