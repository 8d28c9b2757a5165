#include "contrast_reference.hpp"
#include "model_images.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/contrast.hpp>
#include <mae/head/info_nce.hpp>
#include <mae/network/head.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;

static_assert(mae::HeadOn<mae::contrast, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<mae::contrast, mae::eigen_lane<mae::bfloat16>>);
static_assert(mae::couples_samples<mae::contrast>);

double loss_of(std::vector<double> const& z,
               index_t width,
               index_t views,
               double temperature,
               std::vector<double>& gradient) {
  index_t const rows = std::ssize(z) / width;
  gradient.assign(z.size(), 0);
  return mae::info_nce(matrix_view<double const>(z.data(), rows, width),
                       views,
                       temperature,
                       matrix_view<double>(gradient.data(), rows, width));
}

/// As the definition says it.
double loss_by_definition(std::vector<double> const& z,
                          index_t width,
                          index_t views,
                          double temperature) {
  index_t const images = std::ssize(z) / width / views;
  auto const cosine = [&](index_t a, index_t b) {
    double ab = 0, aa = 0, bb = 0;
    for (index_t k = 0; k < width; ++k) {
      double const x = z[static_cast<std::size_t>(a * width + k)];
      double const y = z[static_cast<std::size_t>(b * width + k)];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    return ab / std::sqrt(aa * bb);
  };
  double sum = 0;
  index_t terms = 0;
  for (index_t a = 0; a < views; ++a)
    for (index_t b = 0; b < views; ++b)
      for (index_t i = 0; i < images && a != b; ++i) {
        double others = 0;
        for (index_t j = 0; j < images; ++j)
          others += std::exp(cosine(i * views + a, j * views + b) / temperature);
        sum += std::log(others) - cosine(i * views + a, i * views + b) / temperature;
        ++terms;
      }
  return sum / static_cast<double>(terms);
}

void check_reference(std::span<double const> rows,
                     index_t views,
                     double loss,
                     std::span<double const> expected) {
  std::vector<double> gradient;
  CHECK(loss_of({rows.begin(), rows.end()}, 6, views, 0.2, gradient) ==
        doctest::Approx(loss).epsilon(1e-14));
  REQUIRE(gradient.size() == expected.size());
  for (std::size_t i = 0; i < gradient.size(); ++i)
    CHECK(gradient[i] == doctest::Approx(expected[i]).epsilon(1e-11));
}

}  // namespace

TEST_CASE("InfoNCE is what its definition says, and its gradient that loss's") {
  struct shape {
    index_t images, views, width;
    double temperature;
  };
  for (auto const of : {shape{2, 2, 5, 0.2}, shape{7, 2, 3, 1}, shape{4, 3, 8, 0.1}}) {
    CAPTURE(of.images);
    CAPTURE(of.views);
    auto random = mae_test::stream_of(static_cast<std::uint64_t>(of.images));
    std::vector<double> z(static_cast<std::size_t>(of.images * of.views * of.width));
    for (double& value : z) value = random.normal();
    std::vector<double> gradient, unused;
    CHECK(
        loss_of(z, of.width, of.views, of.temperature, gradient) ==
        doctest::Approx(loss_by_definition(z, of.width, of.views, of.temperature)).epsilon(1e-13));
    for (std::size_t i = 0; i < z.size(); ++i) {
      constexpr double step = 1e-6;
      auto above = z, below = z;
      above[i] += step;
      below[i] -= step;
      double const numeric = (loss_of(above, of.width, of.views, of.temperature, unused) -
                              loss_of(below, of.width, of.views, of.temperature, unused)) /
                             (2 * step);
      CHECK(std::abs(numeric - gradient[i]) <= 1e-8);
    }
  }
}

TEST_CASE("InfoNCE of two and of three views, and its gradient, are PyTorch's") {
  namespace reference = contrast_reference;
  check_reference(reference::rows_of_two, 2, reference::loss_of_two, reference::gradient_of_two);
  check_reference(
      reference::rows_of_three, 3, reference::loss_of_three, reference::gradient_of_three);
}

TEST_CASE("InfoNCE of features that are all alike is the logarithm of how many images there are") {
  std::vector<double> gradient;
  std::vector<double> const z(static_cast<std::size_t>(9 * 2 * 4), 0.5);
  CHECK(loss_of(z, 4, 2, 0.2, gradient) == doctest::Approx(std::log(9.0)));
}

TEST_CASE("a row of zeros, and a temperature near 0, leave loss and gradient finite") {
  std::vector<double> gradient;
  CHECK(std::isfinite(loss_of({0, 0, 1, 1, 3, -1, 2, 2}, 2, 2, 1e-3, gradient)));
  for (double const value : gradient) CHECK(std::isfinite(value));
}

TEST_CASE("contrast that cannot be is refused") {
  auto const refusal = [](mae::contrast const& head) {
    try {
      head.fitted(mae_test::odd_config).require_valid();
    } catch (mae::config_error const& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal({}).empty());
  CHECK(refusal({.views = 1}) ==
        "contrast compares views of an image: it takes two at least, not 1");
  for (double const temperature : {0.0, -0.2})
    CHECK(refusal({.temperature = temperature})
              .starts_with("the temperature of contrast must be positive and finite"));
  CHECK(!refusal({.temperature = std::numeric_limits<double>::quiet_NaN()}).empty());
  CHECK(!refusal({.temperature = std::numeric_limits<double>::infinity()}).empty());
  CHECK(refusal({.projection = {.hidden = 0}}) ==
        "a projector's layers need values, not 0 and 128");
}
