#include "rand_augment_reference.hpp"

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/rand_augment.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

namespace reference = rand_augment_reference;

using mae::image_change;

bool moves_places(image_change change) {
  return change < image_change::brightness;
}

std::vector<float> image() {
  return {reference::image.begin(), reference::image.end()};
}
std::vector<double> fill() {
  return {reference::fill.begin(), reference::fill.end()};
}

}  // namespace

TEST_CASE("images are changed as Pillow and timm change them") {
  mae::image_changer changer(reference::extent, fill());
  for (auto const& expected : reference::changed) {
    CAPTURE(static_cast<int>(expected.change));
    CAPTURE(expected.strength);
    // Pillow's blends round the mean and the grey image, and then the result, to bytes.
    double const most = moves_places(expected.change) ? 2e-6 : 1.6 / 255;
    auto pixels = image();
    changer.apply(expected.change, expected.strength, pixels);
    for (std::size_t i = 0; i < pixels.size(); ++i)
      REQUIRE(std::abs(pixels[i] - expected.pixels[i]) <= most);
    CHECK(pixels != image());
  }
}

TEST_CASE("strengths are timm's") {
  using mae::strength_of;
  CHECK(strength_of(image_change::rotate, 9, false) == doctest::Approx(27));
  CHECK(strength_of(image_change::rotate, 9, true) == doctest::Approx(-27));
  CHECK(strength_of(image_change::shear_y, 5, true) == doctest::Approx(-0.15));
  CHECK(strength_of(image_change::translate_x, 10, false) == doctest::Approx(0.45));
  CHECK(strength_of(image_change::contrast, 9, false) == doctest::Approx(1.81));
  CHECK(strength_of(image_change::colour, 9, true) == doctest::Approx(0.19));
  CHECK(strength_of(image_change::brightness, 10, true) == doctest::Approx(0.1));
  CHECK(strength_of(image_change::solarize, 9, true) == doctest::Approx(0.1));
}

TEST_CASE("what changes nothing changes no bit") {
  mae::image_changer changer(reference::extent, fill());
  for (auto const change : {image_change::rotate,
                            image_change::shear_x,
                            image_change::translate_y,
                            image_change::brightness}) {
    auto pixels = image();
    changer.apply(change, moves_places(change) ? 0 : 1, pixels);
    CHECK(pixels == image());
  }
}

TEST_CASE("a quarter of the images stay, others change by their stream alone") {
  mae::image_changer changer(reference::extent, fill());
  mae::image_changer other_worker(reference::extent, fill());
  constexpr int draws = 2000;
  int same = 0;
  for (std::uint64_t i = 0; i < draws; ++i) {
    auto const drawn = [&](mae::image_changer& by) {
      mae::random_stream random({.seed = 2, .use = mae::purpose::change, .index = i});
      auto pixels = image();
      by({.magnitude = 9}, random, pixels);
      return pixels;
    };
    auto const first = drawn(changer);
    REQUIRE(drawn(other_worker) == first);
    auto const [low, high] = std::ranges::minmax(first);
    REQUIRE(low >= 0);
    REQUIRE(high <= 1);
    same += first == image() ? 1 : 0;
  }
  CHECK(std::abs(same - draws / 4) < 5 * 20);  // the binomial deviation is 19.4
}

TEST_CASE("channels other than three are grey by their mean; what has one keeps its colour") {
  mae::image_changer changer({1, 2, 1}, {});
  std::vector<float> pixels{0.25F, 0.75F};
  changer.apply(image_change::colour, 0.1, pixels);
  CHECK(pixels == std::vector<float>{0.25F, 0.75F});
  changer.apply(image_change::contrast, 0.5, pixels);
  CHECK(pixels == std::vector<float>{0.375F, 0.625F});
  changer.apply(image_change::translate_x, 0.5, pixels);
  CHECK(pixels == std::vector<float>{0.625F, 0.0F});  // filled by 0 where no mean is known
}

TEST_CASE("settings of no use are refused") {
  CHECK_THROWS_AS(mae::require_valid({.magnitude = 11}), mae::config_error);
  CHECK_THROWS_AS(mae::require_valid({.magnitude = 9, .deviation = -1}), mae::config_error);
  CHECK_THROWS_AS(mae::require_valid({.magnitude = 9, .count = -1}), mae::config_error);
  CHECK_NOTHROW(mae::require_valid(mae::rand_augment{.magnitude = 9}));
}
