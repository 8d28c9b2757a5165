#include "real_data.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/normalise.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

std::vector<float> noise(std::size_t size, float offset) {
  mae::random_stream random({.seed = 3, .use = mae::purpose::synthetic});
  std::vector<float> values(size);
  for (float& value : values) value = offset + random.uniform();
  return values;
}

/// Images of one pixel, of which some are not finite.
struct spoilt_dataset {
  std::vector<mae::index_t> spoilt;
  float value = 0;
  mae::index_t count = 1'000;

  mae::image_extent extent() const { return {.height = 1, .width = 1, .channels = 2}; }
  mae::index_t size() const { return count; }
  double pixel_scale() const { return 1; }
  mae::index_t label(mae::index_t /*index*/) const { return -1; }
  mae::index_t num_classes() const { return 0; }
  void read(mae::index_t index, std::span<float> pixels) const {
    pixels[0] = static_cast<float>(index);
    pixels[1] = std::ranges::count(spoilt, index) > 0 ? value : 1.0F;
  }
};

}  // namespace

TEST_CASE("the first image that has a pixel which is not finite is named") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  mae::thread_pool pool(3);
  for (float const value : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()})
    for (auto const& [spoilt, name] :
         {std::pair{std::vector<mae::index_t>{0}, "image 0 "},
          std::pair{std::vector<mae::index_t>{999, 700, 511}, "image 511 "},
          std::pair{std::vector<mae::index_t>{512}, "image 512 "}}) {
      std::string message;
      try {
        mae::channel_statistics(spoilt_dataset{spoilt, value}, pool);
      } catch (mae::config_error const& error) {
        message = error.what();
      }
      CHECK(message == name + std::string("has a pixel that is not finite"));
    }
  CHECK(mae::channel_statistics(spoilt_dataset{{}, 0}, pool).mean[0] == doctest::Approx(499.5));
}

TEST_CASE("means and deviations are those of their definition") {
  // Channel 0 holds 1, 2, 3, 6; channel 1 holds 0, 0, 4, 4.
  mae::memory_dataset<float> const dataset({1, 0, 2, 0, 3, 4, 6, 4},
                                           {.extent = {.height = 1, .width = 2, .channels = 2}});
  mae::thread_pool pool(1);
  auto const statistics = mae::channel_statistics(dataset, pool);
  REQUIRE(statistics.mean.size() == 2);
  CHECK(statistics.mean[0] == doctest::Approx(3.0).epsilon(1e-15));
  CHECK(statistics.mean[1] == doctest::Approx(2.0).epsilon(1e-15));
  CHECK(statistics.deviation[0] == doctest::Approx(std::sqrt(3.5)).epsilon(1e-15));
  CHECK(statistics.deviation[1] == doctest::Approx(2.0).epsilon(1e-15));
  CHECK(statistics.scale == 1.0);
}

TEST_CASE("a large offset does not cancel the deviation") {
  // In E[x^2] - E[x]^2 the offset would leave 4 digits of the variance 1/12.
  constexpr mae::image_extent extent{.height = 10, .width = 10, .channels = 1};
  mae::memory_dataset<float> const dataset(noise(100'000, 1000.0F), {.extent = extent});
  mae::thread_pool pool(1);
  double sum = 0;
  std::vector<float> const values = noise(100'000, 1000.0F);
  for (float const value : values) sum += value - 1000.0;
  double const mean = sum / 1e5;
  double squares = 0;
  for (float const value : values) squares += std::pow(value - 1000.0 - mean, 2);
  auto const statistics = mae::channel_statistics(dataset, pool);
  CHECK(statistics.mean[0] == doctest::Approx(1000.0 + mean).epsilon(1e-14));
  CHECK(statistics.deviation[0] == doctest::Approx(std::sqrt(squares / 1e5)).epsilon(1e-12));
}

TEST_CASE("the statistics have the same bits for any number of threads") {
  constexpr mae::image_extent extent{.height = 3, .width = 5, .channels = 4};
  mae::memory_dataset<float> const dataset(noise(60 * 1500, 0.0F), {.extent = extent});
  mae::thread_pool one(1);
  auto const expected = mae::channel_statistics(dataset, one);
  for (int const threads : {2, 3, 7}) {
    mae::thread_pool pool(threads);
    CHECK(mae::channel_statistics(dataset, pool) == expected);
  }
}

TEST_CASE("a constant channel is normalised to 0, not divided by 0") {
  std::vector<float> values(3 * 700, 0.1F);  // channel 1 varies, 0 and 2 do not
  for (std::size_t i = 0; i < 700; ++i) {
    values[3 * i + 1] = static_cast<float>(i);
    values[3 * i + 2] = 0.0F;
  }
  mae::memory_dataset<float> const dataset(values,
                                           {.extent = {.height = 1, .width = 1, .channels = 3}});
  mae::thread_pool pool(2);
  auto const statistics = mae::channel_statistics(dataset, pool);
  CHECK(statistics.deviation[0] == 1.0);
  CHECK(statistics.deviation[2] == 1.0);
  CHECK(statistics.deviation[1] > 100.0);
  mae::normalise_pixels(values, statistics);
  for (std::size_t i = 0; i < 700; ++i) {
    CHECK(values[3 * i] == 0.0F);
    CHECK(values[3 * i + 2] == 0.0F);
  }
}

TEST_CASE("normalised pixels have mean 0 and deviation 1, and come back") {
  constexpr mae::image_extent extent{.height = 2, .width = 2, .channels = 3};
  std::vector<float> const original = noise(12 * 500, 2.0F);
  mae::thread_pool pool(1);
  auto const statistics =
      mae::channel_statistics(mae::memory_dataset<float>(original, {.extent = extent}), pool);
  std::vector<float> values = original;
  mae::normalise_pixels(values, statistics);
  auto const after =
      mae::channel_statistics(mae::memory_dataset<float>(values, {.extent = extent}), pool);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(after.mean[c]) < 1e-6);
    CHECK(std::abs(after.deviation[c] - 1.0) < 1e-6);
  }
  mae::denormalise_pixels(values, statistics);
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(std::abs(values[i] - original[i]) < 1e-6F);
}

TEST_CASE("no images have no statistics") {
  mae::thread_pool pool(2);
  CHECK_THROWS_WITH_AS(mae::channel_statistics(spoilt_dataset{{}, 0, 0}, pool),
                       "a dataset without images has no pixel statistics",
                       mae::config_error);
}

TEST_CASE("CIFAR-10 has the published statistics") {
  auto const folder = mae_test::cifar10_folder("the statistics of CIFAR-10");
  if (!folder) return;
  auto const train = mae::load_cifar10(*folder, mae::split::train);
  mae::thread_pool pool(2);
  auto const statistics = mae::channel_statistics(train, pool);
  double const mean[] = {0.49140, 0.48216, 0.44653};
  double const deviation[] = {0.24703, 0.24349, 0.26159};
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(statistics.mean[c] - mean[c]) < 5.1e-6);
    CHECK(std::abs(statistics.deviation[c] - deviation[c]) < 5.1e-6);
  }
  CHECK(statistics.scale == 1.0 / 255.0);
}
