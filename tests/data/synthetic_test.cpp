#include <mae/core/error.hpp>
#include <mae/data/synthetic.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using mae::image_extent;
using mae::index_t;
using mae::synthetic_dataset;

std::vector<float> image(synthetic_dataset const& dataset, index_t index) {
  std::vector<float> pixels(static_cast<std::size_t>(dataset.extent().values()), NAN);
  dataset.read(index, pixels);
  return pixels;
}

/// Rows of features, one for each image.
using features = std::vector<std::vector<double>>;

/// The share of `test` whose class has the nearest mean of `train`; image i is of class i mod 10.
double nearest_mean_accuracy(features const& train, features const& test) {
  std::size_t const width = train.front().size();
  features means(10, std::vector<double>(width));
  for (std::size_t i = 0; i < train.size(); ++i)
    for (std::size_t j = 0; j < width; ++j)
      means[i % 10][j] += train[i][j] / (static_cast<double>(train.size()) / 10.0);
  int right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    auto const distance = [&](std::vector<double> const& mean) {
      double sum = 0;
      for (std::size_t j = 0; j < width; ++j) sum += std::pow(mean[j] - test[i][j], 2);
      return sum;
    };
    auto const nearest =
        std::min_element(means.begin(), means.end(), [&](auto const& a, auto const& b) {
          return distance(a) < distance(b);
        });
    right += nearest - means.begin() == static_cast<index_t>(i % 10) ? 1 : 0;
  }
  return right / static_cast<double>(test.size());
}

features mean_colours(synthetic_dataset const& dataset) {
  features result;
  for (index_t i = 0; i < dataset.size(); ++i) {
    std::vector<double> sum(3);
    auto const pixels = image(dataset, i);
    for (std::size_t j = 0; j < pixels.size(); ++j) sum[j % 3] += pixels[j] / 1024.0;
    result.push_back(sum);
  }
  return result;
}

}  // namespace

TEST_CASE("an image depends on seed, extent and number alone") {
  synthetic_dataset const dataset(20, 7);
  CHECK(image(dataset, 3) == image(synthetic_dataset(2'000, 7), 3));
  CHECK(image(dataset, 3) != image(dataset, 13));
  CHECK(image(dataset, 3) != image(synthetic_dataset(20, 8), 3));
}

TEST_CASE("labels are balanced and values are 8-bit levels") {
  synthetic_dataset const dataset(30, 7);
  CHECK(dataset.size() == 30);
  CHECK(dataset.num_classes() == 10);
  CHECK(dataset.label(0) == 0);
  CHECK(dataset.label(29) == 9);
  for (index_t i = 0; i < 30; ++i)
    for (float const value : image(dataset, i)) {
      REQUIRE(value >= 0.0F);
      REQUIRE(value <= 1.0F);
      double const level = value / dataset.pixel_scale();
      REQUIRE(std::abs(level - std::round(level)) < 1e-4);
    }
}

TEST_CASE("the mean colour does not tell the class") {
  auto const train = mean_colours(synthetic_dataset(3'000, 1));
  auto const test = mean_colours(synthetic_dataset(2'000, 2));
  double const accuracy = nearest_mean_accuracy(train, test);
  MESSAGE("nearest mean colour: " << accuracy);
  CHECK(accuracy < 0.2);
}

TEST_CASE("images vary within themselves") {
  synthetic_dataset const dataset(200, 5);
  for (index_t i = 0; i < dataset.size(); ++i) {
    auto const pixels = image(dataset, i);
    auto const [low, high] = std::minmax_element(pixels.begin(), pixels.end());
    CHECK(*high - *low > 0.15F);
  }
}

TEST_CASE("any extent and number of channels is painted whole") {
  for (auto const& extent : {image_extent{1, 1, 1},
                             image_extent{20, 21, 4},
                             image_extent{64, 16, 2},
                             image_extent{8, 96, 3}}) {
    synthetic_dataset const dataset(10, 1, extent);
    for (index_t i = 0; i < 10; ++i)
      for (float const value : image(dataset, i)) REQUIRE(!std::isnan(value));
  }
}

TEST_CASE("one channel holds the lightness of three, and three keep their colours") {
  using mae::detail::channel_value;
  mae::detail::rgb const colour{0.2F, 0.6F, 1.0F};
  CHECK(channel_value(colour, 0, 1) == doctest::Approx(0.299 * 0.2 + 0.587 * 0.6 + 0.114));
  CHECK(channel_value(colour, 0, 3) == 0.2F);
  CHECK(channel_value(colour, 1, 3) == 0.6F);
  CHECK(channel_value(colour, 2, 3) == doctest::Approx(1.0));
  CHECK(channel_value(colour, 3, 5) == doctest::Approx(0.8));
  CHECK(channel_value(colour, 1, 2) == doctest::Approx(1.0));
}

TEST_CASE("a mask is the figure, and the points are its own") {
  // Colours within the figure are not those around it, whatever the class: their means differ.
  synthetic_dataset const dataset(40, 3, {48, 64, 3});
  mae::annotation said;
  for (index_t i = 0; i < dataset.size(); ++i) {
    dataset.annotate(i, said);
    auto const pixels = image(dataset, i);
    REQUIRE(said.mask.size() == 48 * 64);
    REQUIRE(said.points.size() == synthetic_dataset::point_names.size());
    std::array<double, 2> sums{};
    std::array<double, 2> counts{};
    index_t least_row = 48;
    for (std::size_t at = 0; at < said.mask.size(); ++at) {
      REQUIRE((said.mask[at] == 0 || said.mask[at] == dataset.label(i) + 1));
      std::size_t const inside = said.mask[at] > 0 ? 1 : 0;
      sums[inside] += static_cast<double>(pixels[3 * at] + pixels[3 * at + 1] + pixels[3 * at + 2]);
      counts[inside] += 1;
      if (inside == 1) least_row = std::min(least_row, static_cast<index_t>(at / 64));
    }
    REQUIRE(counts[1] > 20);
    CHECK(std::abs(sums[0] / counts[0] - sums[1] / counts[1]) > 0.1);
    auto const [centre, left, right, top, bottom] =
        std::array{said.points[0], said.points[1], said.points[2], said.points[3], said.points[4]};
    CHECK(top.y == static_cast<float>(least_row) + 0.5F);
    CHECK(left.x <= top.x);
    CHECK(top.x <= right.x);
    CHECK(top.y <= centre.y);
    CHECK(centre.y <= bottom.y);
    CHECK((left.x < centre.x && centre.x < right.x));
  }
}

TEST_CASE("impossible sizes are refused") {
  CHECK_THROWS_AS(synthetic_dataset(0, 1), mae::config_error);
  CHECK_THROWS_AS(synthetic_dataset(-5, 1), mae::config_error);
  CHECK_THROWS_AS(synthetic_dataset(5, 1, {32, 32, 0}), mae::config_error);
}
