#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/density.hpp>
#include <mae/mask/measure_levels.hpp>
#include <mae/mask/patch_levels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;

constexpr mae::model_config levels_config{
    .image = {.height = 4, .width = 8, .channels = 2},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 1, .width = 8, .heads = 1},
    .decoder = {.depth = 1, .width = 8, .heads = 1},
};

/// Stripes in each patch, whose contrast is (2 image + patch) / 200.
void striped(index_t image, std::span<float> pixels) {
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    auto const patch = static_cast<index_t>(i / 8 % 2);
    float const contrast = static_cast<float>(2 * image + patch) / 200;
    pixels[i] = 0.5F + (i / 2 % 2 == 0 ? contrast : -contrast);
  }
}

mae::patch_levels measured_levels(index_t count, index_t images = 50, int workers = 1) {
  mae::thread_pool threads(workers);
  return mae::measure_levels(count,
                             mae::density_measure::variance,
                             images,
                             levels_config.image,
                             levels_config.patch,
                             striped,
                             threads);
}

std::string levels_refusal(auto const& make) {
  try {
    make();
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

/// The patch number `number` of all, as striped paints it, normalised.
std::vector<float> normalised_patch(index_t number, mae::pixel_statistics const& statistics) {
  std::vector<float> image(static_cast<std::size_t>(levels_config.image.values()));
  striped(number / 2, image);
  std::vector<float> patch;
  for (index_t row = 0; row < 4; ++row) {
    auto const begin = image.begin() + 16 * row + 8 * (number % 2);
    patch.insert(patch.end(), begin, begin + 8);
  }
  mae::normalise_pixels(patch, statistics);
  return patch;
}

}  // namespace

TEST_CASE("each level has as many of the training set's patches, by their own density") {
  mae::pixel_statistics const statistics{.mean = {0.4, 0.6}, .deviation = {0.2, 0.3}};
  for (index_t const count : {2, 4, 5, 100}) {
    CAPTURE(count);
    auto levels = measured_levels(count);
    CHECK(levels.count() == count);
    levels.statistics = statistics;
    std::vector<float> memory;
    mae::level_finder find(levels, levels_config, memory);
    std::vector<index_t> of_level(static_cast<std::size_t>(count));
    index_t last = 0;
    for (index_t patch = 0; patch < 100; ++patch) {
      auto const pixels = normalised_patch(patch, statistics);
      index_t const level = find(std::span(pixels));
      CHECK(level >= last);  // contrasts rise
      last = level;
      ++of_level[static_cast<std::size_t>(level)];
    }
    // A bound is a patch's own density, which normalising and back may move by a rounding.
    for (index_t const patches : of_level) CHECK(std::abs(patches - 100 / count) <= 1);
  }
}

TEST_CASE("levels do not depend on threads") {
  CHECK(measured_levels(7).bounds == measured_levels(7, 50, 3).bounds);
}

TEST_CASE("levels that cannot be are refused with a sentence") {
  CHECK(levels_refusal([] { measured_levels(1); }).find("from 2 to 256 levels") !=
        std::string::npos);
  CHECK(levels_refusal([] { measured_levels(257, 200); }).find("from 2 to 256 levels") !=
        std::string::npos);
  CHECK(levels_refusal([] { measured_levels(5, 2); }).find("no more than there are patches (4)") !=
        std::string::npos);
  CHECK(levels_refusal([] { measured_levels(2, 0); }).find("at least one image") !=
        std::string::npos);
  auto const flat = [] {
    mae::thread_pool threads(1);
    mae::measure_levels(
        3,
        mae::density_measure::entropy,
        4,
        levels_config.image,
        levels_config.patch,
        [](index_t /*image*/, std::span<float> pixels) { std::ranges::fill(pixels, 0.5F); },
        threads);
  };
  CHECK(levels_refusal(flat).find("no 3 levels") != std::string::npos);

  float const none = std::numeric_limits<float>::quiet_NaN();
  for (auto const& bounds :
       {std::vector<float>{1, 1}, std::vector<float>{2, 1}, std::vector<float>{0, none}})
    CHECK(levels_refusal([&] {
            mae::checked_levels({.bounds = bounds});
          }).find("take them from measure_levels") != std::string::npos);
  CHECK(mae::checked_levels({}).count() == 0);
}

TEST_CASE("what is told to mask tokens alone is nothing to an encoder") {
  mae::patch_levels const both{.bounds = {0}, .told = mae::told_tokens::both};
  mae::patch_levels const mask{.bounds = {0}, .told = mae::told_tokens::mask};
  CHECK(both.of_encoder().told == mae::told_tokens::visible);
  CHECK(both.of_encoder().count() == 2);
  CHECK_FALSE(mask.of_encoder().is_on());
  CHECK(both.of_hidden() == 2);
  CHECK(mask.of_visible() == 0);
  CHECK_FALSE(both.tells_as(mask));
  CHECK(mae::patch_levels{}.tells_as({.measure = mae::density_measure::entropy}));
}
