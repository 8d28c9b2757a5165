// Periods that are found, and baselines.

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/baselines.hpp>
#include <mae/series/period.hpp>
#include <mae/series/series.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

namespace {

using mae::index_t;
constexpr double missing = std::numeric_limits<double>::quiet_NaN();

/// A season, noise of so much of its height, and a walk.
std::vector<double> made(index_t length, double period, double noise, double walk) {
  mae::random_stream random({.seed = 3, .use = mae::purpose::synthetic});
  std::vector<double> values;
  double slow = 0;
  for (index_t i = 0; i < length; ++i) {
    slow += walk * random.normal();
    values.push_back(std::sin(2 * std::numbers::pi * static_cast<double>(i) / period) +
                     noise * random.normal() + slow);
  }
  return values;
}

mae::time_axis hours() {
  return {.stamps = {0, 3600}, .step = {mae::step_unit::hour, 1}};
}

TEST_CASE("a period is found by stamps, by the spectrum, or not at all") {
  auto const daily = made(2000, 24, 0.3, 0.1);
  CHECK(mae::find_period(daily, hours(), 500).period == 24);
  CHECK(mae::find_period(daily, {}, 500).period == 24);
  CHECK(mae::find_period(made(2000, 168, 0.3, 0.05), hours(), 500).period == 168);
  CHECK(mae::find_period(made(2000, 37, 0.3, 0.1), hours(), 500).period == 37);
  CHECK(mae::find_period(made(2000, 24, 3000, 1), hours(), 500).period == 1);
  CHECK(mae::find_period(std::vector<double>(100, 2.0), hours(), 50).period == 1);
  CHECK(mae::find_period(daily, hours(), 500).why ==
        "the values are 1 hour apart, and repeat by their autocorrelation: 0.82 at 24, 0.67 at "
        "168");
}

TEST_CASE("missing values are no season, and hide none") {
  auto values = made(2000, 24, 0.2, 0);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (i % 7 == 3 || (i > 500 && i < 600)) values[i] = missing;
  CHECK(mae::find_period(values, {}, 500).period == 24);
}

TEST_CASE("a walk alone has no period") {
  for (index_t length : {300, 1000, 5000})
    CHECK(mae::find_period(made(length, 24, 1e-3, 1000), hours(), length / 3).period == 1);
}

TEST_CASE("last values are repeated, missing ones passed over") {
  std::vector<double> const values{1, 2, 3, 4, 5, missing};
  mae::matrix_view<double const> const contexts(values.data(), 1, 6);
  CHECK(mae::repeat_last(contexts, 2) == std::vector<double>{5, 5});
  CHECK(mae::repeat_last(contexts, 5, 3) == std::vector<double>{4, 5, 3, 4, 5});
}

TEST_CASE("a linear model finds what is linear") {
  // A recurrence, of two values: x(t) = 1.6 x(t-1) - 0.9 x(t-2) + its mean's share.
  mae::random_stream random({.seed = 5, .use = mae::purpose::synthetic});
  std::vector<double> values{1, 2};
  for (int i = 0; i < 600; ++i)
    values.push_back(1.6 * values[values.size() - 1] - 0.9 * values[values.size() - 2] + 3 +
                     0.01 * random.normal());
  index_t const length = std::ssize(values);
  std::span<double const> const all = values;
  mae::linear_forecast const linear(all.first(values.size() - 20), 20, 4);
  auto const said = linear({values.data() + length - 24, 1, 20});
  auto const last = mae::repeat_last({values.data() + length - 24, 1, 20}, 4);
  double error = 0;
  double naive = 0;
  for (std::size_t h = 0; h < 4; ++h) {
    auto const truth = values[values.size() - 4 + h];
    error += std::abs(said[h] - truth);
    naive += std::abs(last[h] - truth);
  }
  CHECK(error < naive / 3);
  CHECK_THROWS_AS(mae::linear_forecast(all.first(30), 20, 4), mae::config_error);
}

TEST_CASE("a backtest is graded in units of what came before") {
  mae::series s{.names = {"x"}};
  for (int i = 0; i < 40; ++i) s.values.push_back(i % 2 == 0 ? 1 : -1);
  mae::backtest_plan const plan{.context = 4, .horizon = 2, .period = 1, .windows = 3, .stride = 1};
  auto const scores = mae::backtest(s, plan, [](index_t, mae::matrix_view<double const> contexts) {
    return mae::repeat_last(contexts, 2);
  });
  CHECK(scores.values == 6);
  CHECK(scores.mse == doctest::Approx(2));  // every second value is wrong by two deviations
  CHECK(scores.mae == doctest::Approx(1));
  CHECK(scores.mase == doctest::Approx(0.5));
  CHECK(plan.origin(40, 2) == 38);
  CHECK_THROWS_AS(mae::require_room(plan, 9), mae::config_error);
}

}  // namespace
