#include "model_images.hpp"
#include "padded_matrix.hpp"
#include "uniformity_reference.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/network/head.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;

static_assert(mae::HeadOn<mae::uniformity, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<mae::uniformity, mae::eigen_lane<mae::bfloat16>>);
static_assert(mae::couples_samples<mae::uniformity>);

/// The mean over all pairs of rows, as the definition says it.
double mean_over_pairs(std::vector<double> const& z, index_t rows, index_t width) {
  auto const dot = [&](index_t a, index_t b) {
    double sum = 0;
    for (index_t i = 0; i < width; ++i)
      sum +=
          z[static_cast<std::size_t>(a * width + i)] * z[static_cast<std::size_t>(b * width + i)];
    return sum;
  };
  double sum = 0;
  for (index_t a = 0; a < rows; ++a)
    for (index_t b = 0; b < rows; ++b) sum += dot(a, b) * dot(a, b) / (dot(a, a) * dot(b, b));
  return sum / static_cast<double>(rows * rows);
}

double loss_of(std::vector<double> const& z, index_t rows, std::vector<double>& gradient) {
  index_t const width = std::ssize(z) / rows;
  gradient.resize(z.size());
  return mae::uniformity{}.couple(matrix_view<double const>(z.data(), rows, width),
                                  matrix_view<double>(gradient.data(), rows, width));
}

}  // namespace

TEST_CASE("uniformity is the mean squared cosine of all pairs, and its gradient that loss's") {
  struct shape {
    index_t rows, width;
  };
  for (auto const of : {shape{1, 1}, shape{2, 5}, shape{7, 3}, shape{30, 12}}) {
    index_t const rows = of.rows;
    index_t const width = of.width;
    CAPTURE(rows);
    CAPTURE(width);
    auto random = mae_test::stream_of(static_cast<std::uint64_t>(rows));
    std::vector<double> z(static_cast<std::size_t>(rows * width));
    for (double& value : z) value = random.normal();
    std::vector<double> gradient, unused;
    CHECK(loss_of(z, rows, gradient) ==
          doctest::Approx(mean_over_pairs(z, rows, width)).epsilon(1e-13));
    for (std::size_t i = 0; i < z.size(); ++i) {
      constexpr double step = 1e-6;
      auto above = z, below = z;
      above[i] += step;
      below[i] -= step;
      double const numeric =
          (loss_of(above, rows, unused) - loss_of(below, rows, unused)) / (2 * step);
      CHECK(std::abs(numeric - gradient[i]) <= 1e-9);
    }
  }
}

TEST_CASE("uniformity and its gradient are PyTorch's") {
  namespace reference = uniformity_reference;
  std::vector<double> gradient;
  std::vector<double> const rows(reference::rows.begin(), reference::rows.end());
  CHECK(loss_of(rows, 6, gradient) == doctest::Approx(reference::loss).epsilon(1e-14));
  for (std::size_t i = 0; i < gradient.size(); ++i)
    CHECK(gradient[i] == doctest::Approx(reference::gradient[i]).epsilon(1e-11));
}

TEST_CASE("uniformity of equal rows is 1, of orthogonal ones 1 / S, and lengths do not matter") {
  std::vector<double> gradient;
  CHECK(loss_of({1, 2, 10, 20, -3, -6}, 3, gradient) == doctest::Approx(1));
  CHECK(loss_of({5, 0, 0, 0.1}, 2, gradient) == doctest::Approx(0.5));
}

TEST_CASE("a row of zeros has a loss and a gradient, both finite") {
  std::vector<double> gradient;
  CHECK(loss_of({0, 0, 1, 1}, 2, gradient) == doctest::Approx(0.25));
  for (double const value : gradient) CHECK(std::isfinite(value));
}
