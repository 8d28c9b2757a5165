#include <mae/core/error.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

mae::pixel_statistics with_deviation(double deviation) {
  return {.mean = {0.5, 0.5}, .deviation = {1.0, deviation}};
}

}  // namespace

TEST_CASE("none, and a mean and a positive deviation for each channel, are statistics") {
  CHECK(mae::problem_of({}, 3).empty());
  CHECK(mae::problem_of({.mean = {-1, 0, 255}, .deviation = {0.2, 1, 64}}, 3).empty());
  for (double const deviation : {1e-37, 1e37})
    CHECK(mae::problem_of(with_deviation(deviation), 2).empty());
  CHECK_NOTHROW(mae::require_valid(with_deviation(1), 2));
}

TEST_CASE("statistics of other channels are refused with both numbers") {
  CHECK(mae::problem_of(with_deviation(1), 3) ==
        "2 means and 2 deviations for images of 3 channels");
  CHECK(mae::problem_of({.mean = {1, 2}, .deviation = {1}}, 2) ==
        "2 means and 1 deviations for images of 2 channels");
  CHECK(mae::problem_of({.mean = {}, .deviation = {1}}, 1) ==
        "0 means and 1 deviations for images of 1 channels");
  CHECK_THROWS_WITH_AS(mae::require_valid(with_deviation(1), 1),
                       "pixel statistics: 2 means and 2 deviations for images of 1 channels",
                       mae::config_error);
}

TEST_CASE("numbers that no pixel can be normalised by are refused with their channel") {
  CHECK(
      mae::problem_of(with_deviation(0), 2) ==
      "the deviation of channel 1 is 0, it must be positive, and a float hold it and its inverse");
  for (double const deviation : {-1.0, 1e-39, 1e-300, 1e39, infinity, not_a_number}) {
    CAPTURE(deviation);
    CHECK(mae::problem_of(with_deviation(deviation), 2).starts_with("the deviation of channel 1"));
  }
  for (double const mean : {1e39, -1e39, infinity, not_a_number})
    CHECK(mae::problem_of({.mean = {mean}, .deviation = {1}}, 1)
              .starts_with("the mean of channel 0"));
  for (double const scale : {0.0, -1.0, infinity, not_a_number})
    CHECK(mae::problem_of({.mean = {0}, .deviation = {1}, .scale = scale}, 1)
              .starts_with("the pixel scale"));
}

TEST_CASE("without statistics pixels are left as they are") {
  std::vector<float> pixels{0.25F, 0.5F, 1.0F};
  auto const before = pixels;
  mae::normalise_pixels(pixels, {});
  mae::denormalise_pixels(pixels, {});
  CHECK(pixels == before);
}
