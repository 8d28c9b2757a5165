#include "model_images.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/quantised_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/model/configs.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/pooling.hpp>
#include <mae/model/quantised_encoder.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/part.hpp>
#include <mae/network/prepared_weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae::pooling;
using mae_test::odd_config;

using float_encoder = mae::encoder<odd_config>;

/// More images than a shard holds.
constexpr index_t count = 45;

mae::quantised_encoder of_threads(mae::Encoder auto const& encoder, int threads) {
  return mae::quantised(encoder, mae::quantised_backend(threads));
}

std::span<float const> image_of(std::vector<float> const& pixels, index_t image, index_t values) {
  return std::span(pixels).subspan(static_cast<std::size_t>(image * values),
                                   static_cast<std::size_t>(values));
}

/// |a - b| / |b|, all values as one vector.
double relative_error(std::span<float const> a, std::span<float const> b) {
  REQUIRE(a.size() == b.size());
  double squares = 0;
  double all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    squares += std::pow(static_cast<double>(a[i]) - b[i], 2);
    all += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(squares / all);
}

}  // namespace

TEST_CASE(
    "an image's int8 features are the same bits alone and beside a bright one, by any number "
    "of threads") {
  float_encoder const encoder(4);
  auto pixels = mae_test::random_images(odd_config, count, 1);
  index_t const values = odd_config.image.values();
  for (index_t i = 0; i < values; ++i) pixels[static_cast<std::size_t>(7 * values + i)] *= 1000;
  auto const expected = of_threads(encoder, 1).features(pixels, pooling::both);
  auto const width = static_cast<std::size_t>(encoder.feature_width(pooling::both));
  for (int const threads : {1, 2, 3}) {
    auto const int8 = of_threads(encoder, threads);
    CHECK(int8.features(pixels, pooling::both) == expected);
    for (index_t const image : {6, 7, 8, 44})
      CHECK(std::ranges::equal(
          int8.features(image_of(pixels, image, values), pooling::both),
          std::span(expected).subspan(static_cast<std::size_t>(image) * width, width)));
  }
}

TEST_CASE("a model's int8 features are near those in float") {
  constexpr auto config = mae::configs::tiny4;  // large enough that a team shares products
  mae::encoder<config> const encoder(4, mae::eigen_backend<float>(2));
  auto const pixels = mae_test::random_images(config, 3, 2);
  auto const in_float = encoder.features(pixels, pooling::both);
  auto const alone = of_threads(encoder, 1).features(pixels, pooling::both);
  CHECK(relative_error(alone, in_float) < 0.02);
  CHECK(relative_error(alone, in_float) > 1e-5);  // it is another computation
  auto const values = config.image.values();
  auto const width = static_cast<std::size_t>(encoder.feature_width(pooling::both));
  for (int const threads : {2, 3})  // which share one image's products
    CHECK(std::ranges::equal(
        of_threads(encoder, threads).features(image_of(pixels, 1, values), pooling::both),
        std::span(alone).subspan(width, width)));
}

TEST_CASE("a quantised encoder is what it was made of in all but its products") {
  float_encoder encoder(5);
  encoder.set_final_norm(mae::norm_place::pooled);
  encoder.set_norm_epsilon(1e-3);
  auto const channels = static_cast<std::size_t>(odd_config.image.channels);
  encoder.set_statistics(
      {.mean = std::vector<double>(channels, 0.25), .deviation = std::vector<double>(channels, 2)});
  auto const int8 = mae::quantised(encoder);
  CHECK(int8.sizes() == encoder.sizes());
  CHECK(int8.norm_epsilon() == 1e-3);
  CHECK(int8.final_norm() == mae::norm_place::pooled);
  CHECK(int8.statistics().deviation == encoder.statistics().deviation);
  CHECK(std::ranges::equal(int8.parameters().values(), encoder.parameters().values()));
  CHECK(std::string(int8.backend().precision()) == "int8");
  auto const pixels = mae_test::random_images(odd_config, 2, 3);
  CHECK(relative_error(int8.features(pixels, pooling::both),
                       encoder.features(pixels, pooling::both)) < 0.03);
}

TEST_CASE("pixels and weights that are not finite are refused, not quantised") {
  float_encoder const encoder(6);
  auto int8 = mae::quantised(encoder);
  auto pixels = mae_test::random_images(odd_config, 1, 4);
  pixels[5] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS(int8.features(pixels, pooling::mean),
                       "a value of a layer's input is not finite, which int8 products cannot read",
                       mae::numeric_error);
  pixels[5] = 0;
  CHECK_NOTHROW(int8.features(pixels, pooling::mean));
  std::vector<float> values(int8.parameters().values().begin(), int8.parameters().values().end());
  auto const& weight = int8.layout().find("blocks.1.mlp.fc1.weight");
  values[static_cast<std::size_t>(weight.offset) + 3] = std::numeric_limits<float>::quiet_NaN();
  int8.set_parameters(values);
  CHECK_THROWS_WITH_AS(
      int8.features(pixels, pooling::mean),
      "a value of a layer's weights is not finite, which int8 products cannot read",
      mae::numeric_error);
}

TEST_CASE("int8 trains nothing") {
  auto const train = [] {
    mae::prepared_weights<mae::quantised_backend> const weights(mae::pass_kind::training);
  };
  CHECK_THROWS_WITH_AS(
      train(),
      "this backend's weights are packed for inference alone: train with another, and take its "
      "encoder",
      mae::config_error);
}
