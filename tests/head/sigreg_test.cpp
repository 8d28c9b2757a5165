#include "sigreg_reference.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/sigreg.hpp>
#include <mae/head/sketched_normality.hpp>
#include <mae/network/head.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;

static_assert(mae::HeadOn<mae::sigreg, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<mae::sigreg, mae::eigen_lane<mae::bfloat16>>);
static_assert(mae::couples_samples<mae::sigreg>);

template <std::size_t Size>
double largest_difference(std::vector<double> const& found,
                          std::array<double, Size> const& expected) {
  REQUIRE(found.size() == Size);
  double largest = 0;
  for (std::size_t i = 0; i < Size; ++i)
    largest = std::max(largest, std::abs(found[i] - expected[i]));
  return largest;
}

std::string refusal_of(mae::sigreg const& head) {
  try {
    head.require_valid();
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

/// The statistic of n standard normal images of one view.
double normality_of(std::vector<double> const& z, index_t width, index_t directions = 64) {
  mae::random_stream random({.seed = 3});
  auto const drawn = mae::random_directions(directions, width, random);
  std::vector<double> gradient(z.size(), 0.0);
  return mae::sketched_normality(matrix_view<double const>(z.data(), std::ssize(z) / width, width),
                                 1,
                                 {drawn.data(), directions, width},
                                 1,
                                 gradient);
}

}  // namespace

TEST_CASE("both losses and their gradients are PyTorch's") {
  namespace expected = sigreg_reference;
  matrix_view<double const> const z(expected::rows.data(), 12, 5);
  matrix_view<double const> const directions(expected::directions.data(), 3, 5);
  std::vector<double> gradient(60, 0.0);
  CHECK(mae::sketched_normality(z, 2, directions, 1, gradient) ==
        doctest::Approx(expected::normality).epsilon(1e-13));
  CHECK(largest_difference(gradient, expected::gradient_of_normality) < 1e-13);
  gradient.assign(60, 0.0);
  CHECK(mae::view_spread(z, 2, 1, gradient) == doctest::Approx(expected::spread).epsilon(1e-13));
  CHECK(largest_difference(gradient, expected::gradient_of_spread) < 1e-13);
}

TEST_CASE("the head's loss is both, by its share, and its gradient is that of the loss") {
  namespace expected = sigreg_reference;
  mae::sigreg const head{.share = 0.3, .directions = 16};
  std::vector<double> z(expected::rows.begin(), expected::rows.end());
  auto const loss_at = [&](std::vector<double> const& rows, std::vector<double>& gradient) {
    gradient.assign(rows.size(), 0.0);
    mae::random_stream random({.seed = 8});
    return head.couple(matrix_view<double const>(rows.data(), 12, 5),
                       matrix_view<double>(gradient.data(), 12, 5),
                       random);
  };
  std::vector<double> gradient, unused;
  loss_at(z, gradient);
  for (std::size_t const at : {std::size_t{0}, std::size_t{17}, std::size_t{26}, std::size_t{59}}) {
    constexpr double step = 1e-6;
    auto moved = z;
    moved[at] += step;
    double const above = loss_at(moved, unused);
    moved[at] -= 2 * step;
    double const below = loss_at(moved, unused);
    CHECK((above - below) / (2 * step) == doctest::Approx(gradient[at]).epsilon(1e-6));
  }
}

TEST_CASE("what is normally distributed is near, what is one point or one line is far") {
  constexpr index_t images = 2000;
  constexpr index_t width = 8;
  mae::random_stream random({.seed = 1});
  std::vector<double> normal(static_cast<std::size_t>(images * width));
  for (double& value : normal) value = random.normal();
  double const near = normality_of(normal, width);
  CHECK(near < 2);  // of normal values its mean does not grow with their number
  auto wide = normal;
  for (double& value : wide) value *= 2;
  CHECK(normality_of(wide, width) > 50 * near);
  auto line = normal;
  for (std::size_t i = 0; i < line.size(); ++i)
    if (i % width != 0) line[i] = 0;
  CHECK(normality_of(line, width) > 50 * near);
  CHECK(normality_of(std::vector<double>(normal.size(), 0.0), width) > 200 * near);
}

TEST_CASE("directions are of length 1 and even") {
  constexpr index_t count = 4000;
  constexpr index_t width = 3;
  mae::random_stream random({.seed = 2});
  auto const drawn = mae::random_directions(count, width, random);
  std::array<double, 3> sum{}, squares{};
  for (index_t i = 0; i < count; ++i) {
    double square = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      double const value = drawn[static_cast<std::size_t>(i) * 3 + k];
      square += value * value;
      sum[k] += value / count;
      squares[k] += value * value / count;
    }
    REQUIRE(square == doctest::Approx(1).epsilon(1e-12));
  }
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(std::abs(sum[k]) < 0.04);  // four deviations
    CHECK(squares[k] == doctest::Approx(1.0 / 3).epsilon(0.06));
  }
}

TEST_CASE("a sigreg that cannot be is refused") {
  mae::model_config const config{.image = {.height = 16, .width = 16, .channels = 3},
                                 .patch = {.height = 4, .width = 4},
                                 .encoder = {.depth = 2, .width = 24, .heads = 3},
                                 .decoder = {.depth = 1, .width = 16, .heads = 2}};
  CHECK(refusal_of(mae::sigreg{}.fitted(config)).empty());
  CHECK(refusal_of(mae::sigreg{.views = 1}.fitted(config)) ==
        "sigreg compares views of an image: it takes two at least, not 1");
  for (double const share : {0.0, 1.0, -0.1, std::numeric_limits<double>::quiet_NaN()})
    CHECK(refusal_of(mae::sigreg{.share = share}.fitted(config))
              .starts_with("sigreg's share of normality must lie in (0, 1)"));
  CHECK(refusal_of(mae::sigreg{.directions = 0}.fitted(config)) ==
        "sigreg needs directions, not 0");
}
