#include "fixture.hpp"
#include "padded_matrix.hpp"

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

/// x from -5 to 5 in 11 rows of 21.
template <class T>
padded_matrix<T> some_inputs() {
  constexpr index_t count = 231;
  padded_matrix<T> x(11, 21);
  for (index_t i = 0; i < count; ++i)
    x.view()(i / 21, i % 21) = static_cast<T>(-5 + 10.0 * static_cast<double>(i) / (count - 1));
  return x;
}

}  // namespace

TEST_CASE_TEMPLATE("GELU is x Phi(x), the erf form", T, float, double) {
  auto const x = some_inputs<T>();
  padded_matrix<T> y(11, 21, std::numeric_limits<T>::quiet_NaN());
  mae::gelu_forward(mae::eigen_lane<T>{}, x.view(), y.view());
  // The tanh form is wrong by up to 4.7e-4.
  double const tolerance = sizeof(T) == 4 ? 1e-6 : 1e-15;
  for (index_t row = 0; row < 11; ++row)
    for (index_t col = 0; col < 21; ++col)
      REQUIRE(std::abs(y(row, col) - exact_gelu(x(row, col))) <= tolerance);
  CHECK(y.gaps_are_intact());
}

TEST_CASE_TEMPLATE("a NaN before GELU is a NaN behind it, and in its gradient", T, float, double) {
  auto x = some_inputs<T>();
  x.view()(4, 9) = std::numeric_limits<T>::quiet_NaN();
  padded_matrix<T> y(11, 21);
  mae::gelu_forward(mae::eigen_lane<T>{}, x.view(), y.view());
  padded_matrix<T> grad(11, 21, T{1});
  mae::gelu_backward(mae::eigen_lane<T>{}, x.view(), grad.view());
  for (index_t row = 0; row < 11; ++row)
    for (index_t col = 0; col < 21; ++col) {
      bool const is_hit = row == 4 && col == 9;
      REQUIRE(std::isnan(y(row, col)) == is_hit);
      REQUIRE(std::isnan(grad(row, col)) == is_hit);
    }
}

TEST_CASE("GELU and its gradient are PyTorch's") {
  mae_test::fixture const ops("ops");
  auto const x = ops.matrix("gelu.x");
  padded_matrix<float> y(1, x.view().cols);
  mae::gelu_forward(mae::eigen_lane<float>{}, x.view(), y.view());
  mae_test::check_output(y, ops.matrix("gelu.y"));

  auto grad = ops.matrix("gelu.y_grad");
  mae::gelu_backward(mae::eigen_lane<float>{}, x.view(), grad.view());
  mae_test::check_gradient_parity(grad, ops.matrix("gelu.x_grad"));
}
