// What is missing, or hidden, by a painter whose pictures are known.

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/baselines.hpp>
#include <mae/series/forecast.hpp>
#include <mae/series/quantiles.hpp>
#include <mae/series/repaint.hpp>
#include <mae/series/resample.hpp>

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

/// Paints each row of pixels as its mean over the patches that are seen, and counts patches.
struct row_means {
  mae::model_config sizes;
  std::vector<index_t> visible = {};

  mae::pixel_painter painter() {
    return {sizes, [this](std::span<float const> images, mae::mask_plan const& plan) {
              auto const [height, width, channels] = sizes.image;
              std::vector<float> painted(images.size());
              for (index_t i = 0; i < plan.images(); ++i) {
                visible.push_back(plan.counts(i).visible);
                for (index_t y = 0; y < height; ++y) {
                  double sum = 0;
                  double count = 0;
                  for (auto const patch : plan.visible(i))
                    if (patch / sizes.grid_columns() == y / sizes.patch.height)
                      for (index_t k = 0; k < sizes.patch.width; ++k, ++count)
                        sum += images[static_cast<std::size_t>(
                            ((i * height + y) * width +
                             patch % sizes.grid_columns() * sizes.patch.width + k) *
                            channels)];
                  for (index_t x = 0; x < width * channels; ++x)
                    painted[static_cast<std::size_t>((i * height + y) * width * channels + x)] =
                        count > 0 ? static_cast<float>(sum / count) : 0.0F;
                }
              }
              return painted;
            }};
  }
};

constexpr mae::model_config picture{.image = {.height = 8, .width = 12, .channels = 1},
                                    .patch = {.height = 4, .width = 2},
                                    .encoder = {},
                                    .decoder = {}};
mae::forecast_options const windows = mae::forecast_options::trained(64, 32, 8);

std::vector<double> season(index_t length) {
  std::vector<double> values;
  for (index_t i = 0; i < length; ++i)
    values.push_back(3 + std::sin(2 * std::numbers::pi * static_cast<double>(i) / 8));
  return values;
}

TEST_CASE("averages are resampled, or neighbours picked") {
  std::vector<double> const line{1, 2, 3, 4, 5, 6, 7, 80};
  mae::line_resampler const one(1, 1, mae::shrinking::averaged);
  auto const to = [&](index_t count, mae::shrinking how) {
    return mae::resample_columns(
        {line.data(), 1, 8}, one, mae::line_resampler(8, count, how), 0, count);
  };
  CHECK(to(8, mae::shrinking::averaged) == line);
  CHECK(to(2, mae::shrinking::picked) == std::vector<double>{2.5, 6.5});
  CHECK(to(2, mae::shrinking::averaged)[1] > 10);  // 80 counts
  CHECK(to(16, mae::shrinking::picked)[0] == 1);
  CHECK(to(16, mae::shrinking::picked)[1] == doctest::Approx(1.25));
}

TEST_CASE("what is missing is filled from what is seen, and nothing else changes") {
  row_means means{picture};
  auto const painter = means.painter();
  for (index_t const length : {60, 96, 500}) {
    auto const whole = season(length);
    auto values = whole;
    for (index_t const i : {5, 20, 21, 22, 59}) values[static_cast<std::size_t>(i)] = missing;
    auto const found = mae::impute(painter, values, windows);
    CHECK(found.filled == 5);
    CHECK(found.left == 0);
    for (std::size_t i = 0; i < whole.size(); ++i)
      REQUIRE(found.values[i] == doctest::Approx(whole[i]).epsilon(1e-5));
  }
  std::vector<double> const nothing(100, missing);
  CHECK(mae::impute(painter, nothing, windows).left == 100);
}

TEST_CASE("missing patches are hidden from a forecast, wherever they are") {
  row_means means{picture};
  auto const painter = means.painter();
  auto const whole = season(96);
  auto values = std::vector<double>(whole.begin(), whole.begin() + 64);
  auto const said = [&] { return mae::forecast(painter, {values.data(), 1, 64}, windows); };
  said();
  CHECK(means.visible.back() == 8);
  values[0] = missing;  // the first patch
  auto const without = said();
  CHECK(means.visible.back() == 7);
  for (std::size_t h = 0; h < 32; ++h)
    REQUIRE(without[h] == doctest::Approx(whole[64 + h]).epsilon(1e-5));
  std::fill(values.begin(), values.end(), missing);
  CHECK_THROWS_AS(said(), mae::config_error);
  std::fill(values.begin(), values.end(), 7.25);
  CHECK(said() == std::vector<double>(32, 7.25));  // a constant goes on
}

TEST_CASE("long horizons go in steps, or are refused") {
  row_means means{picture};
  auto const painter = means.painter();
  auto const whole = season(400);
  auto options = windows;
  options.horizon = 100;
  auto const said = mae::forecast(painter, {whole.data(), 1, 64}, options);
  REQUIRE(said.size() == 100);
  for (std::size_t h = 0; h < 100; ++h)
    REQUIRE(said[h] == doctest::Approx(whole[64 + h]).epsilon(1e-5));
  options.in_steps = false;
  CHECK_THROWS_AS(mae::forecast(painter, {whole.data(), 1, 64}, options), mae::config_error);

  // Where the context is one period of many, VisionTS has too few columns.
  mae::forecast_options stretched{.context = 8, .horizon = 400, .period = 8};
  CHECK(mae::layout_for(picture, stretched, 400).room() < 400);
  CHECK(mae::forecast(painter, {whole.data(), 1, 8}, stretched).size() == 400);
}

TEST_CASE("an anomaly is a value that is far from what its surroundings say") {
  row_means means{picture};
  auto const painter = means.painter();
  auto values = season(300);
  values[147] += 4;
  values[30] = missing;
  auto const scores = mae::anomaly_scores(painter, values, windows, 3);
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    if (i == 30)
      CHECK(std::isnan(scores[i]));
    else if (i == 147)
      CHECK(scores[i] > 3);
    else
      CHECK(scores[i] < 1);
  }
  CHECK_THROWS_AS(mae::anomaly_scores(painter, values, windows, 1), mae::config_error);
}

/// Notes the pictures that it is asked to paint, where they are seen.
struct seen_pixels {
  mae::model_config sizes;
  std::vector<std::vector<float>> pictures = {};

  mae::pixel_painter painter() {
    return {sizes, [this](std::span<float const> images, mae::mask_plan const& plan) {
              auto const [height, width, channels] = sizes.image;
              auto const size = static_cast<std::size_t>(sizes.image.values());
              for (index_t i = 0; i < plan.images(); ++i) {
                std::vector<float> shown(size);
                for (auto const patch : plan.visible(i))
                  for (index_t y = 0; y < sizes.patch.height; ++y)
                    for (index_t x = 0; x < sizes.patch.width * channels; ++x) {
                      auto const at = static_cast<std::size_t>(
                          ((patch / sizes.grid_columns() * sizes.patch.height + y) * width +
                           patch % sizes.grid_columns() * sizes.patch.width) *
                              channels +
                          x);
                      shown[at] = images[static_cast<std::size_t>(i) * size + at];
                    }
                pictures.push_back(std::move(shown));
              }
              return std::vector<float>(images.size());
            }};
  }
};

TEST_CASE("a score knows nothing of its value, also where pictures are resampled") {
  mae::forecast_options const stretched{.context = 200, .horizon = 8, .period = 8};
  for (index_t const at : {0, 57, 100, 143, 199}) {
    CAPTURE(at);
    auto values = season(200);
    values[20] = missing;
    seen_pixels first{picture};
    seen_pixels second{picture};
    mae::anomaly_scores(first.painter(), values, stretched);
    values[static_cast<std::size_t>(at)] += 3;
    auto const scores = mae::anomaly_scores(second.painter(), values, stretched);
    REQUIRE(first.pictures.size() == second.pictures.size());
    int same = 0;  // of a window's turns, one hides the value: nothing of it is seen there
    for (std::size_t i = 0; i < first.pictures.size(); ++i)
      same += first.pictures[i] == second.pictures[i] ? 1 : 0;
    CHECK(same == 1);
    CHECK(first.pictures.size() == 4);
    CHECK(std::isfinite(scores[static_cast<std::size_t>(at)]));
  }
}

TEST_CASE("where no truth is known there are no quantiles, and no grades") {
  mae::series s{.names = {"x"}};
  for (int i = 0; i < 100; ++i) s.values.push_back(i < 60 ? i % 7 : missing);
  mae::backtest_plan const plan{.context = 4, .horizon = 2, .period = 1, .windows = 5, .stride = 2};
  mae::window_forecast const constant = [](index_t, mae::matrix_view<double const> contexts) {
    return std::vector<double>(static_cast<std::size_t>(2 * contexts.rows), 3.0);
  };
  mae::error_quantiles const quantiles(s, plan, constant, {0.1, 0.9});
  CHECK(std::isnan(quantiles.offset(0, 0, 0)));
  CHECK(std::isnan(quantiles.offset(0, 1, 1)));
  CHECK(std::isnan(mae::backtest(s, plan, constant).mse));
  CHECK(mae::backtest(s, plan, constant).values == 0);
  CHECK(std::isnan(mae::grade_quantiles(s, plan, constant, quantiles).coverage));
}

TEST_CASE("an answer of another size than (windows, horizon) is refused") {
  mae::series s{.names = {"x", "y"}};
  for (int i = 0; i < 200; ++i) s.values.push_back(i % 7);
  mae::backtest_plan const plan{.context = 4, .horizon = 2, .period = 1, .windows = 5, .stride = 2};
  for (std::size_t const size : {0U, 2U, 9U, 11U, 20U}) {
    CAPTURE(size);
    mae::window_forecast const said = [&](index_t, mae::matrix_view<double const>) {
      return std::vector<double>(size, 3.0);
    };
    auto const message = doctest::Contains("not the 10 of 2 a window");
    CHECK_THROWS_WITH_AS(mae::backtest(s, plan, said), message, mae::config_error);
    CHECK_THROWS_WITH_AS(mae::said_of_each(s, plan, said), message, mae::config_error);
    std::vector<double> const values(size, 3.0);
    std::vector<double> const levels{0.5};
    if (size == 20) continue;  // as many as both variables have
    CHECK_THROWS_AS(mae::grade(s, plan, values), mae::config_error);
    CHECK_THROWS_AS(mae::by_variable(values, 2, plan), mae::config_error);
    CHECK_THROWS_AS(mae::grade_quantiles(s, plan, levels, values), mae::config_error);
    CHECK_THROWS_AS(mae::error_quantiles(s, plan, values, levels), mae::config_error);
  }
}

TEST_CASE("a forecast is asked for piece after piece, of few windows where they are long") {
  mae::series s{.names = {"x", "y"}};
  s.values.assign(2 * 40'000, 1);
  std::vector<std::vector<index_t>> asked(2);
  auto const ask = [&](mae::backtest_plan const& plan) {
    asked.assign(2, {});
    mae::backtest(s, plan, [&](index_t variable, mae::matrix_view<double const> contexts) {
      asked[static_cast<std::size_t>(variable)].push_back(contexts.rows);
      return std::vector<double>(static_cast<std::size_t>(contexts.rows * plan.horizon));
    });
    CHECK(asked[0] == asked[1]);
    return asked[0];
  };
  CHECK(ask({.context = 4, .horizon = 2, .windows = 5000, .stride = 1}) ==
        std::vector<index_t>{4096, 904});
  CHECK(ask({.context = 8000, .horizon = 2, .windows = 1000, .stride = 1}) ==
        std::vector<index_t>{524, 476});
}

TEST_CASE("several forecasts' quantiles are graded where all have some") {
  mae::series s{.names = {"x"}};
  for (int i = 0; i < 20; ++i) s.values.push_back(i);
  mae::backtest_plan const plan{.context = 4, .horizon = 2, .period = 1, .windows = 2, .stride = 2};
  std::vector<double> const levels{0.1, 0.9};  // truths are 16 to 19
  std::vector<std::vector<double>> said{
      {15, 15, missing, missing, 18, 18, missing, missing}, {16, 16, 0, 0, 16, 20, 0, 0}, {}};
  CHECK(mae::grade_quantiles(s, plan, levels, said[1]).coverage == 0.5);
  mae::keep_common(said);
  CHECK(said[2].empty());
  auto const first = mae::grade_quantiles(s, plan, levels, said[0]);
  auto const second = mae::grade_quantiles(s, plan, levels, said[1]);
  CHECK(first.values == 2);
  CHECK(second.values == 2);
  CHECK(first.coverage == 1);
  CHECK(second.coverage == 1);
  CHECK(second.wql == doctest::Approx(2 * (0.1 + 0.3) / 2 / 33));
}

TEST_CASE("quantiles are those of the errors of other windows") {
  mae::series s{.names = {"x"}};
  for (int i = 0; i < 4000; ++i) s.values.push_back(i * 7919 % 1000);  // all alike
  mae::backtest_plan const graded{
      .context = 4, .horizon = 2, .period = 1, .windows = 400, .stride = 2};
  mae::series before = s;
  before.values.resize(3000);
  mae::window_forecast const constant = [](index_t, mae::matrix_view<double const> contexts) {
    return std::vector<double>(static_cast<std::size_t>(2 * contexts.rows), 100.0);
  };
  mae::error_quantiles const quantiles(before, graded, constant, {0.1, 0.5, 0.9});
  CHECK(quantiles.offset(0, 0, 1) == doctest::Approx(400).epsilon(0.05));
  CHECK(quantiles.offset(0, 1, 0) == doctest::Approx(0).epsilon(0.05).scale(1000));
  auto const scores = mae::grade_quantiles(s, graded, constant, quantiles);
  CHECK(scores.values == 800);
  CHECK(scores.coverage == doctest::Approx(0.8).epsilon(0.05));
  // Of a uniform distribution the mean of these three quantile losses is 2 * (45 + 125 + 45) / 3.
  CHECK(scores.wql == doctest::Approx(2 * 215.0 / 3 / 500).epsilon(0.05));
  CHECK_THROWS_AS(mae::error_quantiles(before, graded, constant, {0.9, 0.1}), mae::config_error);
}

}  // namespace
