#pragma once

#include "padded_matrix.hpp"

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <concepts>
#include <limits>
#include <span>
#include <string>

namespace mae_test {

/// Gradients in double by central differences: what must hold, R1.
inline constexpr double difference_step = 1e-6;
inline constexpr double gradient_tolerance = 1e-6;

/// What an op must overwrite begins as NaN.
inline constexpr double unset = std::numeric_limits<double>::quiet_NaN();

/// A gradient that a backward pass adds to: what it held before is random, so that an assignment in
/// place of an addition is found.
class added_gradient {
 public:
  added_gradient(index_t rows, index_t cols, mae::random_stream& random)
      : before_(rows, cols, random), after_(before_) {}

  matrix_view<double> view() { return after_.view(); }
  std::span<double> vector() { return after_.vector(); }

  /// What was added.
  padded_matrix<double> added() const {
    auto difference = after_;
    auto const values = difference.view();
    for (index_t row = 0; row < values.rows; ++row)
      for (index_t col = 0; col < values.cols; ++col) values(row, col) -= before_(row, col);
    return difference;
  }

 private:
  padded_matrix<double> before_;
  padded_matrix<double> after_;
};

/// The sum of cotangent * (above - below), subtracted first, which keeps rounding small.
inline double contracted_difference(padded_matrix<double> const& cotangent,
                                    padded_matrix<double> const& above,
                                    padded_matrix<double> const& below) {
  auto const weights = cotangent.view();
  REQUIRE(weights.rows == above.view().rows);
  REQUIRE(weights.cols == above.view().cols);
  double sum = 0;
  for (index_t row = 0; row < weights.rows; ++row)
    for (index_t col = 0; col < weights.cols; ++col)
      sum += weights(row, col) * (above(row, col) - below(row, col));
  return sum;
}

/// The gradient of the sum of cotangent * forward() with respect to every entry of `value`, which
/// `forward` reads; it returns its outputs as a padded_matrix.
template <std::invocable Forward>
padded_matrix<double> central_differences(Forward const& forward,
                                          padded_matrix<double> const& cotangent,
                                          matrix_view<double> value) {
  padded_matrix<double> gradient(value.rows, value.cols);
  for (index_t row = 0; row < value.rows; ++row)
    for (index_t col = 0; col < value.cols; ++col) {
      double const kept = value(row, col);
      value(row, col) = kept + difference_step;
      padded_matrix<double> const above = forward();
      value(row, col) = kept - difference_step;
      padded_matrix<double> const below = forward();
      value(row, col) = kept;
      gradient.view()(row, col) =
          contracted_difference(cotangent, above, below) / (2 * difference_step);
    }
  return gradient;
}

/// Checks that a backward pass's gradient is that of central differences, to a relative distance.
inline void check_close(std::string const& tensor,
                        matrix_view<double const> gradient,
                        matrix_view<double const> expected) {
  REQUIRE(gradient.rows == expected.rows);
  REQUIRE(gradient.cols == expected.cols);
  double distance = 0;
  double norm = 0;
  for (index_t row = 0; row < expected.rows; ++row)
    for (index_t col = 0; col < expected.cols; ++col) {
      distance = std::hypot(distance, gradient(row, col) - expected(row, col));
      norm = std::hypot(norm, expected(row, col));
    }
  CAPTURE(tensor);
  CHECK(norm > 0);
  CHECK(distance <= gradient_tolerance * norm);
}

/// Both: differentiates and checks one tensor.
template <std::invocable Forward>
void check_gradient(std::string const& tensor,
                    Forward const& forward,
                    padded_matrix<double> const& cotangent,
                    matrix_view<double> value,
                    padded_matrix<double> const& gradient) {
  check_close(tensor, gradient.view(), central_differences(forward, cotangent, value).view());
  CHECK(gradient.gaps_are_intact());
}

}  // namespace mae_test
