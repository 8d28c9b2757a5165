// A model of windows that learns quantiles.

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/series.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace {

using mae::index_t;

constexpr mae::window_options windows{
    .context = 48, .horizon = 16, .period = 8, .patch = {.height = 4, .width = 1}};
constexpr mae::series_model_options small{.seed = 1,
                                          .encoder = {.depth = 1, .width = 32, .heads = 4},
                                          .decoder = {.depth = 1, .width = 16, .heads = 2}};

/// A season with noise to one side: an exponential distribution, whose quantile of level a is
/// -log(1 - a).
mae::series skewed(index_t length) {
  mae::series s{.names = {"x"}};
  mae::random_stream random({.seed = 2, .use = mae::purpose::synthetic});
  for (index_t i = 0; i < length; ++i)
    s.values.push_back(2 * std::sin(2 * std::numbers::pi * static_cast<double>(i) / 8) -
                       std::log(1 - random.uniform_double()));
  return s;
}

TEST_CASE("learnt quantiles cover what they say, and do not cross") {
  auto const s = skewed(1500);
  mae::backtest_plan const plan{
      .context = 48, .horizon = 16, .period = 8, .windows = 20, .stride = 16};
  mae::series_windows const images(s, windows, plan.first_origin(s.length()));
  std::vector<double> const levels{0.1, 0.5, 0.9};
  mae::quantile_series_model<> network(windows, levels, small);
  auto options = mae::window_training(images, 300, 1, 32);
  options.lr = 5e-3;
  mae::trainer training(network, images, options);
  training.run();
  mae::painted_quantiles<> const painted(network);
  auto const painter = mae::painter_of_quantiles(painted);
  CHECK(painter.levels == levels);
  auto const contexts = mae::backtest_contexts(s, 0, plan);
  auto const said = mae::forecast_with_quantiles(
      painter, {contexts.data(), plan.windows, plan.context}, windows.options());
  REQUIRE(said.values.size() == 320);
  REQUIRE(said.quantiles.size() == 960);
  double width = 0;
  for (std::size_t i = 0; i < 320; ++i) {
    REQUIRE(said.quantiles[i] <= said.quantiles[320 + i]);
    REQUIRE(said.quantiles[320 + i] <= said.quantiles[640 + i]);
    REQUIRE(said.values[i] == said.quantiles[320 + i]);
    width += (said.quantiles[640 + i] - said.quantiles[i]) / 320;
  }
  auto const scores = mae::grade_quantiles(s, plan, levels, said.quantiles);
  CAPTURE(scores.coverage);
  CHECK(scores.coverage > 0.7);
  CHECK(scores.coverage < 0.9);
  CHECK(width > 1.5);  // log(9) = 2.2
  CHECK(width < 3);
  // The median alone is the same.
  auto const alone =
      mae::forecast(painter, {contexts.data(), plan.windows, plan.context}, windows.options());
  for (std::size_t i = 0; i < 320; ++i) REQUIRE(alone[i] == doctest::Approx(said.values[i]));
  std::vector<double> const constant(48, 2.5);
  auto const stays =
      mae::forecast_with_quantiles(painter, {constant.data(), 1, 48}, windows.options());
  CHECK(stays.values[3] == 2.5);
  CHECK(std::isnan(stays.quantiles[3]));  // nothing is known of how far it goes
}

TEST_CASE("quantiles are learnt around a median") {
  CHECK_THROWS_WITH_AS(mae::quantile_series_model<>(windows, {0.1, 0.9}, small),
                       doctest::Contains("without the median"),
                       mae::config_error);
}

}  // namespace
