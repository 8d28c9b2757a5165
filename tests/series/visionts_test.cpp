// Forecasts of the package visionts (make_visionts_reference.py), by the same model.

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/interop.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
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

}  // namespace
