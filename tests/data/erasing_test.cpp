#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/erasing.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using mae::index_t;

mae::random_stream stream(std::uint64_t index) {
  return mae::random_stream({.seed = 11, .use = mae::purpose::erase, .index = index});
}

/// Of recipe_figures.py: timm's, of 200,000 draws.
struct box_figures {
  mae::image_extent image;
  double share, share_deviation, log_ratio, log_ratio_deviation;
};

}  // namespace

TEST_CASE("boxes lie inside the image and have timm's areas and ratios") {
  constexpr int draws = 20'000;
  for (auto const& timm : {box_figures{{32, 32, 3}, 0.1755, 0.0902, -0.003, 0.692},
                           box_figures{{20, 40, 3}, 0.1641, 0.0885, -0.126, 0.647}}) {
    double share = 0;
    double share_squares = 0;
    double ratio = 0;
    double ratio_squares = 0;
    for (std::uint64_t i = 0; i < draws; ++i) {
      auto random = stream(i);
      auto const box = mae::random_erasure(timm.image, random);
      REQUIRE(box.height > 0);
      REQUIRE(box.top >= 0);
      REQUIRE(box.left >= 0);
      REQUIRE(box.top + box.height <= timm.image.height);
      REQUIRE(box.left + box.width <= timm.image.width);
      auto const height = static_cast<double>(box.height);
      auto const width = static_cast<double>(box.width);
      double const part = height * width / static_cast<double>(timm.image.pixels());
      double const log_ratio = std::log(height / width);
      share += part / draws;
      share_squares += part * part / draws;
      ratio += log_ratio / draws;
      ratio_squares += log_ratio * log_ratio / draws;
    }
    // Four standard errors or more.
    CHECK(std::abs(share - timm.share) < 0.003);
    CHECK(std::abs(std::sqrt(share_squares - share * share) - timm.share_deviation) < 0.003);
    CHECK(std::abs(ratio - timm.log_ratio) < 0.024);
    CHECK(std::abs(std::sqrt(ratio_squares - ratio * ratio) - timm.log_ratio_deviation) < 0.02);
  }
}

TEST_CASE("a quarter of the images are erased, with what is normalised to standard noise") {
  constexpr mae::image_extent image{.height = 32, .width = 32, .channels = 2};
  mae::pixel_statistics const statistics{.mean = {0.5, 0.25}, .deviation = {0.25, 2.0}};
  constexpr int draws = 4'000;
  constexpr float kept = -100.0F;
  int erased = 0;
  std::vector<double> sums(2), squares(2);
  double count = 0;
  for (std::uint64_t i = 0; i < draws; ++i) {
    std::vector<float> pixels(static_cast<std::size_t>(image.values()), kept);
    auto random = stream(i);
    mae::erase_at_random(0.25, image, statistics, random, pixels);
    bool some = false;
    for (std::size_t at = 0; at < pixels.size(); ++at) {
      if (pixels[at] == kept) continue;
      REQUIRE(pixels[at ^ 1U] != kept);  // all channels of a pixel
      some = true;
      std::size_t const c = at % 2;
      double const noise =
          (static_cast<double>(pixels[at]) - statistics.mean[c]) / statistics.deviation[c];
      sums[c] += noise;
      squares[c] += noise * noise;
      count += 0.5;
    }
    erased += some ? 1 : 0;
  }
  CHECK(std::abs(erased - draws / 4) < 5 * 28);  // the binomial deviation is 27.4
  for (std::size_t c = 0; c < 2; ++c) {
    CHECK(std::abs(sums[c] / count) < 0.015);
    CHECK(std::abs(squares[c] / count - 1) < 0.02);
  }
}

TEST_CASE("an image that no box fits stays as it is; without statistics noise is N(0, 1)") {
  std::vector<float> line(5, 7.0F);
  auto random = stream(0);
  mae::erase_at_random(1, {1, 5, 1}, {}, random, line);
  CHECK(line == std::vector<float>(5, 7.0F));
  std::vector<float> pixels(400, 7.0F);
  mae::erase_at_random(1, {20, 20, 1}, {}, random, pixels);
  CHECK(pixels != std::vector<float>(400, 7.0F));
}
