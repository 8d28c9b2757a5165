#include "allocation_count.hpp"

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/data/augment.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace {

constexpr mae::image_extent cifar{.height = 32, .width = 32, .channels = 3};

mae::random_stream stream(std::uint64_t index) {
  return mae::random_stream({.seed = 11, .use = mae::purpose::augment, .index = index});
}

std::vector<float> noise(mae::image_extent const& extent) {
  auto random = stream(1'000'000);
  std::vector<float> values(static_cast<std::size_t>(extent.values()));
  for (float& value : values) value = random.uniform();
  return values;
}

std::vector<float> augmented(mae::augmenter& augment,
                             std::vector<float> const& source,
                             std::uint64_t index) {
  auto random = stream(index);
  std::vector<float> result(source.size(), NAN);
  augment(source, random, result);
  return result;
}

}  // namespace

TEST_CASE("crops lie inside the image and have the intended areas and ratios") {
  constexpr int draws = 20'000;
  constexpr mae::image_extent large{.height = 400, .width = 400, .channels = 1};
  double area_sum = 0;
  double area_squares = 0;
  double log_ratio_sum = 0;
  double log_ratio_squares = 0;
  double place_sum = 0;  // of the crop in the room that it has
  for (std::uint64_t i = 0; i < draws; ++i) {
    auto random = stream(i);
    auto const [top, left, height, width] = mae::random_crop(large, 0.2, random);
    REQUIRE(top >= 0);
    REQUIRE(left >= 0);
    REQUIRE(top + height <= 400);
    REQUIRE(left + width <= 400);
    double const area = static_cast<double>(height * width) / 160'000.0;
    double const log_ratio = std::log(static_cast<double>(width) / static_cast<double>(height));
    CHECK(area > 0.198);
    CHECK(std::abs(log_ratio) < std::log(4.0 / 3.0) + 0.006);
    area_sum += area;
    area_squares += area * area;
    log_ratio_sum += log_ratio;
    log_ratio_squares += log_ratio * log_ratio;
    place_sum += (static_cast<double>(top) + 0.5) / static_cast<double>(401 - height);
    place_sum += (static_cast<double>(left) + 0.5) / static_cast<double>(401 - width);
  }
  // augment_fixtures.py: a crop that does not fit is mostly a large one, so that the mean area is
  // below 0.6. The bounds are 4 standard errors or more.
  double const area = area_sum / draws;
  double const log_ratio = log_ratio_sum / draws;
  CHECK(std::abs(area - 0.5393) < 0.006);
  CHECK(std::abs(std::sqrt(area_squares / draws - area * area) - 0.2002) < 0.006);
  CHECK(std::abs(log_ratio) < 0.005);
  CHECK(std::abs(std::sqrt(log_ratio_squares / draws) - 0.1584) < 0.004);
  CHECK(std::abs(place_sum / (2 * draws) - 0.5) < 0.006);
}

TEST_CASE("crops of small parts have areas uniform between the two shares") {
  constexpr int draws = 20'000;
  double sum = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < draws; ++i) {
    auto random = stream(i);
    auto const box =
        mae::random_crop({.height = 400, .width = 400, .channels = 1}, 0.05, random, 0.4);
    double const area = static_cast<double>(box.height * box.width) / 160'000.0;
    REQUIRE(area > 0.0485);
    REQUIRE(area < 0.405);
    sum += area;
    squares += area * area;
  }
  double const mean = sum / draws;  // a square image has room for all of them
  CHECK(std::abs(mean - 0.225) < 0.003);
  CHECK(std::abs(std::sqrt(squares / draws - mean * mean) - 0.35 / std::sqrt(12.0)) < 0.002);
}

TEST_CASE("an image that no crop fits is cut to the nearest allowed ratio, at its centre") {
  auto random = stream(0);
  // Every crop of 90% of these areas and a ratio of at most 4/3 is longer than the short side.
  CHECK(mae::random_crop({10, 100, 3}, 0.9, random) == mae::pixel_box{0, 43, 10, 13});
  CHECK(mae::random_crop({100, 10, 3}, 0.9, random) == mae::pixel_box{43, 0, 13, 10});
}

TEST_CASE("crop_min 1 without flip changes nothing, to the bit") {
  auto const source = noise(cifar);
  mae::augmenter augment(cifar, {.crop_min = 1.0, .flip = false});
  CHECK(augmented(augment, source, 3) == source);
}

TEST_CASE("half of the images are mirrored") {
  auto const source = noise(cifar);
  mae::augmenter augment(cifar, {.crop_min = 1.0, .flip = true});
  int mirrored = 0;
  constexpr int draws = 2'000;
  for (std::uint64_t i = 0; i < draws; ++i) {
    auto const result = augmented(augment, source, i);
    bool const same = result == source;
    if (!same) CHECK(result[0] == source[31 * 3]);
    mirrored += same ? 0 : 1;
  }
  CHECK(std::abs(mirrored - draws / 2) < 5 * 23);  // the binomial deviation is 22.4
}

TEST_CASE("the same stream gives the same view; another another") {
  auto const source = noise(cifar);
  mae::augmenter augment(cifar, {});
  mae::augmenter other_worker(cifar, {});
  auto const first = augmented(augment, source, 5);
  auto const second = augmented(augment, source, 6);
  CHECK(first != second);
  CHECK(augmented(other_worker, source, 5) == first);
}

TEST_CASE("values stay within [0, 1], or within the source's range where that is wider") {
  std::vector<float> source = noise(cifar);
  for (float& value : source) value = value < 0.5F ? 0.0F : 1.0F;
  mae::augmenter augment(cifar, {});
  for (std::uint64_t i = 0; i < 100; ++i) {
    auto const result = augmented(augment, source, i);
    auto const [low, high] = std::minmax_element(result.begin(), result.end());
    CHECK(*low >= 0.0F);
    CHECK(*high <= 1.0F);
    CHECK(*low < 0.05F);
    CHECK(*high > 0.95F);
  }
  for (float& value : source) value = 3000.0F * value - 1000.0F;
  auto const result = augmented(augment, source, 0);
  auto const [low, high] = std::minmax_element(result.begin(), result.end());
  CHECK(*low == -1000.0F);
  CHECK(*high == 2000.0F);
}

TEST_CASE("a constant image stays constant under either kernel") {
  std::vector<float> const source(20 * 21 * 4, 0.3F);
  for (auto const kind : {mae::interpolation::bilinear, mae::interpolation::bicubic}) {
    mae::augmenter augment({20, 21, 4}, {.crop_min = 0.1, .kind = kind});
    for (std::uint64_t i = 0; i < 50; ++i)
      for (float const value : augmented(augment, source, i)) CHECK(std::abs(value - 0.3F) < 1e-6F);
  }
}

TEST_CASE("a warm augmenter allocates nothing") {
  auto const source = noise(cifar);
  std::vector<float> result(source.size());
  mae::augmenter augment(cifar, {});
  auto const run = [&] {
    for (std::uint64_t i = 0; i < 500; ++i) {
      auto random = stream(i);
      augment(source, random, result);
    }
  };
  run();
  std::int64_t const before = mae_test::allocation_count;
  run();
  CHECK(mae_test::allocation_count == before);
  CHECK(before > 0);  // the count works
}

TEST_CASE("impossible settings are refused") {
  for (double const crop_min : {0.0, -0.5, 1.01, static_cast<double>(NAN)})
    CHECK_THROWS_AS(mae::augmenter(cifar, {.crop_min = crop_min}), mae::config_error);
  for (double const crop_max : {0.1, 1.01, static_cast<double>(NAN)})
    CHECK_THROWS_AS(mae::augmenter(cifar, {.crop_max = crop_max}), mae::config_error);
  CHECK_THROWS_AS(mae::augmenter({32, 0, 3}, {}), mae::config_error);
}
