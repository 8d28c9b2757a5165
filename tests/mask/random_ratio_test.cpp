#include "mask_images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/random_ratio.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

using mae::index_t;
using mae::random_ratio_mask;
using mask_images::plan_of;
using mask_images::visible_positions;

static_assert(random_ratio_mask{{.low = 0.5, .high = 0.75}}.max_visible(64) == 32);

TEST_CASE("the ratio is drawn for every image, uniformly from the range") {
  constexpr int images = 16000;
  mask_images::patched_image const image;
  random_ratio_mask const mask{{.low = 0.5, .high = 0.75}};
  std::vector<int> times(mask_images::patches + 1);
  for (int i = 0; i < images; ++i)
    ++times[static_cast<std::size_t>(
        plan_of(mask, image.context(static_cast<std::uint64_t>(i))).counts(0).visible)];
  // A share in [0.25, 0.5) of 64 keeps 16 to 31, each of them equally often: 1000 +- 31.
  for (std::size_t visible = 0; visible < times.size(); ++visible) {
    bool const possible = visible >= 16 && visible < 32;
    CHECK(std::abs(times[visible] - (possible ? 1000 : 0)) < (possible ? 155 : 1));
  }
}

TEST_CASE("the drawn ratio leaves every patch equally likely to be seen") {
  constexpr int images = 8000;
  mask_images::patched_image const image;
  random_ratio_mask const mask{{.low = 0.5, .high = 0.75}};
  std::vector<int> seen(mask_images::patches);
  int total = 0;
  for (int i = 0; i < images; ++i)
    for (auto const position :
         visible_positions(plan_of(mask, image.context(static_cast<std::uint64_t>(i))))) {
      ++seen[static_cast<std::size_t>(position)];
      ++total;
    }
  double const share = static_cast<double>(total) / mask_images::patches;
  for (int const count : seen) CHECK(std::abs(count - share) < 5.0 * std::sqrt(share));
}

TEST_CASE("a range of one ratio always draws it") {
  mask_images::patched_image const image;
  random_ratio_mask const mask{{.low = 0.75, .high = 0.75}};
  for (std::uint64_t i = 0; i < 50; ++i)
    CHECK(plan_of(mask, image.context(i)).counts(0) == mae::mask_counts{16, 48});
}

TEST_CASE("a range that is none is refused") {
  CHECK_THROWS_AS((random_ratio_mask{{.low = 0.8, .high = 0.7}}), mae::config_error);
  CHECK_THROWS_AS((random_ratio_mask{{.low = 0.0, .high = 0.7}}), mae::config_error);
  CHECK_THROWS_AS((random_ratio_mask{{.low = 0.5, .high = 1.0}}), mae::config_error);
}

TEST_CASE("a random ratio mask states its settings") {
  CHECK(mae::settings_of("mask", random_ratio_mask{{.low = 0.5, .high = 0.75}}) ==
        mae::settings_list{{"mask", "random"}, {"mask_low", "0.5"}, {"mask_high", "0.75"}});
}
