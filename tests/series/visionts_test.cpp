// Forecasts of the package visionts (make_visionts_reference.py), by the same model.

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/interop.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/network/initialise.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using mae::index_t;

template <class T>
std::vector<T> values_of(mae::safetensors_file const& file, std::string const& name) {
  auto const* const tensor = file.find(name);
  CAPTURE(name);
  REQUIRE(tensor != nullptr);
  std::vector<T> values(tensor->bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}
std::vector<double> doubles_of(mae::safetensors_file const& file, std::string const& name) {
  auto const values = values_of<float>(file, name);
  return {values.begin(), values.end()};
}

using parts = mae::autoencoder_parts<mae::uniform_mask<>, mae::eigen_backend<float>, mae::pixels>;

auto small_model() {
  return mae::open_pretrained(
      mae::read_pretrained(MAE_TESTS_DIR "/series/fixtures/visionts_model.safetensors",
                           {.heads = 3, .decoder_heads = 2}),
      parts{});
}

TEST_CASE("forecasts are those of visionts 1.0.1 by the same model") {
  auto const model = small_model();
  auto const painter = mae::painter_of(model);
  auto const file =
      mae::safetensors_file::load(MAE_TESTS_DIR "/series/fixtures/visionts.safetensors");
  auto const cases = values_of<std::int32_t>(file, "cases");
  for (std::size_t k = 0; k < cases.size() / 3; ++k) {
    auto const options =
        mae::forecast_options::visionts(cases[3 * k], cases[3 * k + 1], cases[3 * k + 2]);
    auto const contexts = doubles_of(file, "case" + std::to_string(k) + ".context");
    auto const expected = doubles_of(file, "case" + std::to_string(k) + ".forecast");
    index_t const windows = std::ssize(contexts) / options.context;
    auto const found = mae::forecast(painter, {contexts.data(), windows, options.context}, options);
    REQUIRE(found.size() == expected.size());
    double largest = 0;
    double difference = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(found[i] - expected[i]));
    }
    CAPTURE(k);
    CHECK(difference <= 1e-4 * largest);
  }
}

TEST_CASE("painting what is read alone says what painting all says") {
  auto const model = small_model();
  auto const painter = mae::painter_of(model);
  REQUIRE(painter.paint_columns);
  auto whole = painter;
  whole.paint_columns = {};
  auto const file =
      mae::safetensors_file::load(MAE_TESTS_DIR "/series/fixtures/visionts.safetensors");
  auto const cases = values_of<std::int32_t>(file, "cases");
  for (std::size_t k = 0; k < cases.size() / 3; ++k)
    for (bool const is_visionts : {true, false}) {
      mae::forecast_options options{
          .context = cases[3 * k], .horizon = cases[3 * k + 1], .period = cases[3 * k + 2]};
      if (is_visionts)
        options = mae::forecast_options::visionts(options.context, options.horizon, options.period);
      auto const contexts = doubles_of(file, "case" + std::to_string(k) + ".context");
      mae::matrix_view<double const> const view(
          contexts.data(), std::ssize(contexts) / options.context, options.context);
      auto const part = mae::forecast(painter, view, options);
      auto const all = mae::forecast(whole, view, options);
      for (std::size_t i = 0; i < all.size(); ++i)
        REQUIRE(part[i] == doctest::Approx(all[i]).epsilon(1e-6));
    }
}

using random_base =
    mae::sized_autoencoder<mae::uniform_mask<>, mae::eigen_backend<float>, mae::pixels>;
mae::model_config random_sizes(index_t channels, index_t depth) {
  return {.image = {.height = 12, .width = 20, .channels = channels},
          .patch = {.height = 4, .width = 2},
          .encoder = {.depth = 2, .width = 24, .heads = 3},
          .decoder = {.depth = depth, .width = 16, .heads = 2}};
}

/// A model of pictures of 12 x 20 pixels with random weights.
struct random_model : random_base {
  random_model(index_t channels, index_t depth, int threads = 0)
      : random_base(random_sizes(channels, depth),
                    {.seed = 5,
                     .backend = mae::eigen_backend<float>(threads),
                     .linears = mae::linear_start::pytorch}) {}
};

// A decoder that asks paints no columns alone: painter_of falls back on whole pictures.
using asking_model =
    mae::sized_cross_autoencoder<mae::uniform_mask<>, mae::eigen_backend<float>, mae::pixels>;
static_assert(mae::detail::paints_columns<random_model>());
static_assert(!mae::detail::paints_columns<asking_model>());

/// Contexts (rows, 60) of courses that differ.
std::vector<double> courses(index_t rows) {
  std::vector<double> values;
  for (index_t i = 0; i < rows * 60; ++i) {
    auto const t = static_cast<double>(i);
    values.push_back(10 + std::sin(t * 0.52) + 0.3 * std::cos(t * t * 0.01) + 0.01 * t);
  }
  return values;
}

TEST_CASE("columns alone are painted as all are, by any decoder, of what is missing too") {
  double const none = std::numeric_limits<double>::quiet_NaN();
  using mae::variable_rule;
  for (index_t const depth : {1, 2, 3})
    for (auto const rule : {variable_rule::each, variable_rule::rows, variable_rule::channels}) {
      index_t const variables = rule == variable_rule::each ? 1 : 3;
      random_model const model(3, depth);
      auto const painter = mae::painter_of(model);
      auto whole = painter;
      whole.paint_columns = {};
      mae::forecast_options const options{
          .context = 60, .horizon = 18, .period = 6, .together = rule, .variables = variables};
      index_t const rows = 6 * variables;  // more pictures than are painted at once
      auto contexts = courses(rows);
      for (index_t i = 0; i < 16; ++i) contexts[static_cast<std::size_t>(130 + i)] = none;
      mae::matrix_view<double const> const view(contexts.data(), rows, 60);
      auto const part = mae::forecast(painter, view, options);
      auto const all = mae::forecast(whole, view, options);
      CAPTURE(depth);
      for (std::size_t i = 0; i < all.size(); ++i)
        REQUIRE(part[i] == doctest::Approx(all[i]).epsilon(1e-5));
      auto const alone = mae::forecast(painter, view.middle_rows(0, variables), options);
      for (std::size_t i = 0; i < alone.size(); ++i)
        REQUIRE(part[i] == doctest::Approx(alone[i]).epsilon(1e-12));
    }
}

TEST_CASE("few pictures may be painted by any of many threads") {
  random_model const one(1, 1, 1);
  random_model const many(1, 1, 8);
  mae::forecast_options const options{.context = 60, .horizon = 18, .period = 6};
  auto const values = courses(5);
  for (index_t const pictures : {2, 3, 5}) {
    mae::matrix_view<double const> const contexts(values.data(), pictures, 60);
    auto const expected = mae::forecast(mae::painter_of(one), contexts, options);
    auto painter = mae::painter_of(many);
    painter.paint_columns = [paint = painter.paint_columns](mae::picture_stream stream) {
      stream.draw = [draw = stream.draw](index_t number, std::span<float> picture) {
        std::this_thread::sleep_for(std::chrono::microseconds(500));  // others take the next one
        return draw(number, picture);
      };
      paint(stream);
    };
    for (int i = 0; i < 50; ++i) REQUIRE(mae::forecast(painter, contexts, options) == expected);
  }
}

using two_headed_base = mae::
    sized_autoencoder<mae::uniform_mask<>, mae::eigen_backend<float>, mae::pixels, mae::uniformity>;
struct off_model : two_headed_base {
  off_model() : two_headed_base(random_sizes(1, 1), {.head_weights = {0, 1}}) {}
};

TEST_CASE("a painter that is off paints no columns") {
  off_model const model;
  auto const values = courses(1);
  mae::forecast_options const options{.context = 60, .horizon = 18, .period = 6};
  CHECK_THROWS_WITH_AS(mae::forecast(mae::painter_of(model), {values.data(), 1, 60}, options),
                       "the model paints nothing: its painter has weight 0",
                       mae::config_error);
}

static_assert(mae::detail::paints_columns<random_base>());
static_assert(!mae::detail::paints_columns<mae::sized_cross_autoencoder<mae::uniform_mask<>,
                                                                        mae::eigen_backend<float>,
                                                                        mae::pixels>>());

}  // namespace
