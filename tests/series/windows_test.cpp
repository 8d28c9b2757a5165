// A model that is trained on windows: what it sees, and what it learns.

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/series.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

namespace {

using mae::index_t;
constexpr double missing = std::numeric_limits<double>::quiet_NaN();

constexpr mae::window_options windows{
    .context = 48, .horizon = 16, .period = 8, .patch = {.height = 4, .width = 1}};
constexpr mae::model_config small{.image = {.height = 8, .width = 8, .channels = 1},
                                  .patch = windows.patch,
                                  .encoder = {.depth = 2, .width = 32, .heads = 4},
                                  .decoder = {.depth = 1, .width = 32, .heads = 4}};
using model = mae::autoencoder<small, mae::window_mask, mae::eigen_backend<float>, mae::pixels>;

/// A season, on slower waves.
mae::series waves(index_t length) {
  mae::series s{.names = {"x"}};
  mae::random_stream random({.seed = 2, .use = mae::purpose::synthetic});
  for (index_t i = 0; i < length; ++i) {
    auto const t = static_cast<double>(i);
    s.values.push_back(5 + 2 * std::sin(2 * std::numbers::pi * t / 8) +
                       2 * std::sin(2 * std::numbers::pi * t / 37) + 0.1 * random.normal());
  }
  return s;
}

TEST_CASE("windows become pictures of phases and periods") {
  auto s = waves(100);
  s.values[20] = missing;
  mae::series_windows const images(s, windows);
  CHECK(images.size() == 100 - 64 + 1);
  std::vector<float> pixels(64);
  images.read(3, pixels);
  // The context is standardised: value 3 + 10 is of phase 2, in the second period.
  std::vector<double> context(s.values.begin() + 3, s.values.begin() + 51);
  auto const range = mae::range_of(context, windows.options());
  CHECK(pixels[2 * 8 + 1] == doctest::Approx((s.values[13] - range.mean) / range.scale));
  CHECK(pixels[1 * 8 + 2] == mae::absent_pixel);  // value 20 - 3 = 17
  CHECK(std::count(pixels.begin(), pixels.end(), mae::absent_pixel) == 1);
  CHECK_THROWS_AS(mae::series_windows(s, windows, 63), mae::config_error);
  auto wrong = windows;
  wrong.patch = {3, 1};
  CHECK_THROWS_AS(mae::series_windows(s, wrong), mae::config_error);
  auto still = windows;
  still.stride = 0;
  CHECK_THROWS_WITH_AS(mae::series_windows(s, still),
                       doctest::Contains("their stride must be 1 or more"),
                       mae::config_error);
}

TEST_CASE("windows after a constant context are no examples, and are counted") {
  auto s = waves(200);
  for (std::size_t i = 20; i < 90; ++i) s.values[i] = 4;
  mae::series_windows const images(s, windows);
  // Contexts that begin at 20 to 42 are constant.
  CHECK(images.constant() == 23);
  CHECK(images.size() == 200 - 64 + 1 - 23);
  std::fill(s.values.begin(), s.values.end(), 4);
  CHECK_THROWS_WITH_AS(mae::series_windows(s, windows),
                       doctest::Contains("137 have a constant context"),
                       mae::config_error);
}

/// Two variables in one series.
mae::series two_waves(index_t length) {
  auto s = waves(length);
  s.names = {"x", "y"};
  for (index_t i = 0; i < length; ++i)
    s.values.push_back(100 - 3 * s.values[static_cast<std::size_t>(i)]);
  return s;
}
mae::window_options together(mae::variable_rule rule) {
  auto both = windows;
  both.together = rule;
  both.variables = 2;
  return both;
}

TEST_CASE("variables share a picture as rows, each absent by itself") {
  auto s = two_waves(100);
  s.values[120] = missing;  // of y
  mae::series_windows const images(s, together(mae::variable_rule::rows));
  CHECK(images.extent() == mae::image_extent{.height = 16, .width = 8, .channels = 1});
  CHECK(images.size() == 37);
  std::vector<float> pixels(128);
  images.read(3, pixels);
  mae::series_windows const alone(s, windows);
  std::vector<float> x(64);
  std::vector<float> y(64);
  alone.read(3, x);
  alone.read(37 + 3, y);
  CHECK(std::equal(x.begin(), x.end(), pixels.begin()));
  CHECK(std::equal(y.begin(), y.end(), pixels.begin() + 64));
  CHECK(std::count(pixels.begin(), pixels.end(), mae::absent_pixel) == 1);
  // A variable that does not move is not there.
  std::fill(s.values.begin(), s.values.begin() + 100, 3.0);
  mae::series_windows const one(s, together(mae::variable_rule::rows));
  CHECK(one.constant() == 0);
  one.read(3, pixels);
  CHECK(std::count(pixels.begin(), pixels.end(), mae::absent_pixel) == 65);
}

TEST_CASE("variables share a picture as channels") {
  auto s = two_waves(100);
  mae::series_windows const images(s, together(mae::variable_rule::channels));
  CHECK(images.extent() == mae::image_extent{.height = 8, .width = 8, .channels = 2});
  std::vector<float> pixels(128);
  images.read(3, pixels);
  mae::series_windows const alone(s, windows);
  std::vector<float> y(64);
  alone.read(37 + 3, y);
  for (std::size_t i = 0; i < 64; ++i) REQUIRE(pixels[2 * i + 1] == y[i]);
  // One that does not move stays 0; where it moves in the horizon alone, nothing can be learnt.
  std::fill(s.values.begin(), s.values.begin() + 100, 3.0);
  CHECK(mae::series_windows(s, together(mae::variable_rule::channels)).constant() == 0);
  s.values[60] = 4;
  CHECK(mae::series_windows(s, together(mae::variable_rule::channels)).constant() == 13);
  auto const one = waves(100);
  CHECK_THROWS_AS(mae::series_windows(one, together(mae::variable_rule::rows)), mae::config_error);
}

TEST_CASE("a window mask hides the horizon or anything, and absent patches are neither") {
  auto s = waves(100);
  s.values[20] = missing;
  mae::series_windows const images(s, windows);
  mae::window_mask const mask{.context_columns = 6, .forecast_share = 0.5};
  std::vector<float> pixels(64);
  std::vector<float> cut(64);
  std::vector<float> scores(16);
  int forecasts = 0;
  for (index_t i = 0; i < images.size(); ++i) {
    images.read(i, pixels);
    mae::matrix_view<float> const patches(cut.data(), 16, 4);
    mae::patchify(pixels, small.image, small.patch, patches);
    mae::mask_plan plan(1, 16);
    mae::random_stream random({.seed = 4, .use = mae::purpose::mask});
    mae::plan_image(plan,
                    0,
                    mask,
                    {.patches = patches,
                     .channels = 1,
                     .grid_rows = 2,
                     .grid_columns = 8,
                     .dataset_index = static_cast<std::uint64_t>(i)},
                    random,
                    scores);
    auto const [visible, target] = plan.counts(0);
    bool const is_absent_there = i <= 20;  // the missing value is in the window
    CHECK(visible + target == (is_absent_there ? 15 : 16));
    auto const absent = (20 - i) % 8 / 4 * 8 + (20 - i) / 8;
    for (auto const patch : plan.visible(0)) CHECK((!is_absent_there || patch != absent));
    for (auto const patch : plan.target(0)) CHECK((!is_absent_there || patch != absent));
    auto const hidden = plan.target(0);
    bool const is_forecast =
        std::all_of(hidden.begin(), hidden.end(), [](auto const patch) { return patch % 8 >= 6; });
    forecasts += is_forecast ? 1 : 0;
    if (is_forecast) CHECK(target >= 3);
  }
  CHECK(forecasts > 10);
  CHECK(forecasts < 28);
}

TEST_CASE("a model trained on windows forecasts better than the last period") {
  auto s = waves(1500);
  for (std::size_t i = 300; i < 320; ++i) s.values[i] = missing;
  mae::backtest_plan const plan{
      .context = 48, .horizon = 16, .period = 8, .windows = 10, .stride = 16};
  mae::series_windows const images(s, windows, plan.first_origin(s.length()));
  model network({.seed = 1, .mask = {.context_columns = 6}});
  network.set_statistics({.mean = {0}, .deviation = {1}});
  mae::trainer training(
      network,
      images,
      {.batch_size = 32,
       .steps = 250,
       .lr = 3e-3,
       .warmup_epochs = 0.3,
       .clip = 1,
       .augment = {.crop_min = 1, .flip = false, .kind = mae::interpolation::bilinear}});
  training.run();
  auto const painter = mae::painter_of(network);
  auto const own = mae::backtest(s, plan, [&](index_t, mae::matrix_view<double const> contexts) {
    return mae::forecast(painter, contexts, windows.options());
  });
  auto const naive = mae::backtest(s, plan, [&](index_t, mae::matrix_view<double const> contexts) {
    return mae::repeat_last(contexts, 16, 8);
  });
  CAPTURE(own.mse);
  CAPTURE(naive.mse);
  CHECK(own.mse < 0.8 * naive.mse);
}

}  // namespace
