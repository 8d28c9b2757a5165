#include "mask_images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/uniform.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

using mae::index_t;
using mae::ratio;
using mae::uniform_mask;
using mask_images::plan_of;
using mask_images::visible_positions;

static_assert(uniform_mask<ratio{3, 4}>{}.max_visible(64) == 16);
static_assert(uniform_mask<ratio{3, 4}>{}.max_visible(196) == 49);
static_assert(uniform_mask<ratio{9, 10}>{}.max_visible(100) == 10);
static_assert(uniform_mask<>{0.9}.max_visible(100) == 9);
static_assert(uniform_mask<>{}.max_visible(64) == 16);
static_assert(std::is_empty_v<uniform_mask<ratio{3, 4}>>);
static_assert(!std::is_constructible_v<uniform_mask<ratio{3, 4}>, double>);

TEST_CASE("a uniform mask always leaves something to see and something to predict") {
  CHECK(uniform_mask<ratio{99, 100}>{}.max_visible(4) == 1);
  CHECK(uniform_mask<>{0.99}.max_visible(4) == 1);
  CHECK(uniform_mask<ratio{1, 1000}>{}.max_visible(2) == 1);
  CHECK(uniform_mask<>{1e-18}.max_visible(4) == 3);
}

TEST_CASE("a ratio that is no share is refused") {
  for (double const wrong : {0.0, 1.0, -0.5, 75.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(uniform_mask<>{wrong}, mae::config_error);
  CHECK_THROWS_WITH(uniform_mask<>{1.5},
                    "uniform mask: the ratio must lie between 0 and 1, both excluded; it is 1.5");
}

TEST_CASE("the ratio in the type and at run time give the same masks") {
  mask_images::patched_image const image;
  for (std::uint64_t index = 0; index < 20; ++index) {
    auto const fixed = plan_of(uniform_mask<ratio{3, 4}>{}, image.context(index));
    auto const chosen = plan_of(uniform_mask<>{0.75}, image.context(index));
    CHECK(fixed.counts(0) == mae::mask_counts{16, 48});
    CHECK(visible_positions(fixed) == visible_positions(chosen));
  }
}

TEST_CASE("a uniform mask hides every patch equally often, independently of its neighbour") {
  constexpr int images = 8000;
  mask_images::patched_image const image;
  std::vector<int> seen(mask_images::patches);
  int neighbours = 0;  // patches 0 and 1 both visible
  for (int i = 0; i < images; ++i) {
    auto const visible = visible_positions(
        plan_of(uniform_mask<ratio{3, 4}>{}, image.context(static_cast<std::uint64_t>(i))));
    for (auto const position : visible) ++seen[static_cast<std::size_t>(position)];
    neighbours += visible[0] == 0 && visible[1] == 1 ? 1 : 0;
  }
  // Binomial(8000, 1/4) has a deviation of 38.7: five of them for the worst of 64 patches.
  for (int const count : seen) CHECK(std::abs(count - images / 4) < 194);
  double const both = images * (16.0 * 15.0) / (64.0 * 63.0);
  CHECK(std::abs(neighbours - both) < 5.0 * std::sqrt(both));
}

TEST_CASE("an image's mask depends on its stream alone, not on its place in the batch") {
  mask_images::patched_image const image;
  uniform_mask<ratio{3, 4}> const mask{};
  std::vector<float> scores(mask_images::patches);
  mae::mask_plan batch(3, mask_images::patches);
  std::vector<std::uint64_t> const order{7, 2, 5};
  for (index_t i = 0; i < 3; ++i) {
    auto const index = order[static_cast<std::size_t>(i)];
    auto random = mask_images::mask_stream(index);
    mae::plan_image(batch, i, mask, image.context(index), random, scores);
  }
  for (index_t i = 0; i < 3; ++i)
    CHECK(visible_positions(batch, i) ==
          visible_positions(plan_of(mask, image.context(order[static_cast<std::size_t>(i)]))));
  CHECK(visible_positions(batch, 0) != visible_positions(batch, 1));
}

TEST_CASE("a uniform mask states its settings") {
  CHECK(mae::settings_of("mask", uniform_mask<ratio{3, 4}>{}) ==
        mae::settings_list{{"mask", "uniform"}, {"mask_ratio", "3/4"}});
  CHECK(mae::settings_of("mask", uniform_mask<>{0.6}) ==
        mae::settings_list{{"mask", "uniform"}, {"mask_ratio", "0.6"}});
}
