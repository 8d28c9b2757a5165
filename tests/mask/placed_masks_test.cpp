// Masks whose hidden patches lie by a pattern: grids, columns, blocks, and those from outside.
#include "mask_images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/block.hpp>
#include <mae/mask/column.hpp>
#include <mae/mask/fixed.hpp>
#include <mae/mask/grid.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using mae::index_t;
using mask_images::grid;
using mask_images::plan_of;
using mask_images::visible_positions;

namespace {

/// How many of the pairs of patches that lie side by side, or one below the other, are hidden both.
index_t hidden_neighbours(mae::mask_plan const& plan) {
  std::vector<bool> hidden(mask_images::patches, true);
  for (auto const position : plan.visible(0)) hidden[static_cast<std::size_t>(position)] = false;
  index_t pairs = 0;
  for (index_t i = 0; i < mask_images::patches; ++i) {
    auto const at = [&](index_t j) { return hidden[static_cast<std::size_t>(j)]; };
    if (i % grid + 1 < grid && at(i) && at(i + 1)) ++pairs;
    if (i + grid < mask_images::patches && at(i) && at(i + grid)) ++pairs;
  }
  return pairs;
}

template <class Mask>
double mean_hidden_neighbours(Mask const& mask) {
  mask_images::patched_image const image;
  constexpr int images = 300;
  index_t sum = 0;
  for (std::uint64_t i = 0; i < images; ++i)
    sum += hidden_neighbours(plan_of(mask, image.context(i)));
  return static_cast<double>(sum) / images;
}

}  // namespace

TEST_CASE("a grid mask of three quarters shows one of every 2 x 2 patches") {
  mask_images::patched_image const image;
  mae::grid_mask const mask(0.75);
  std::set<std::vector<mae::patch_index>> different;
  for (std::uint64_t i = 0; i < 100; ++i) {
    auto const visible = visible_positions(plan_of(mask, image.context(i)));
    REQUIRE(visible.size() == 16);
    different.insert(visible);
    for (auto const position : visible) {
      CHECK(position % grid % 2 == visible[0] % grid % 2);
      CHECK(position / grid % 2 == visible[0] / grid % 2);
    }
  }
  CHECK(different.size() == 4);
}

TEST_CASE("a grid mask of half is a chessboard, and of any share as even as can be") {
  mask_images::patched_image const image;
  CHECK(mean_hidden_neighbours(mae::grid_mask(0.5)) == 0);
  auto const seen = visible_positions(plan_of(mae::grid_mask(0.9), image.context()));
  REQUIRE(seen.size() == 6);  // int(64 * (1 - 0.9)): of the 16 of 75% every second or third
  for (auto const a : seen)
    for (auto const b : seen)
      if (a != b) {
        auto const far = [](index_t x, index_t y) {
          index_t const apart = std::abs(x - y);
          return std::min(apart, grid - apart);
        };
        CHECK(far(a % grid, b % grid) + far(a / grid, b / grid) >= 4);
      }
}

TEST_CASE("a grid mask fits grids that are neither square nor powers of two") {
  std::vector<float> const values(15 * 4);
  mae::mask_context const image{
      .patches = {values.data(), 15, 4}, .channels = 1, .grid_rows = 3, .grid_columns = 5};
  auto const plan = plan_of(mae::grid_mask(0.75), image);
  CHECK(plan.counts(0) == mae::mask_counts{3, 12});
}

TEST_CASE("a column mask hides whole columns, each as often as another") {
  mask_images::patched_image const image;
  mae::column_mask const mask(0.7, grid);
  CHECK(mask.max_visible(mask_images::patches) == 2 * grid);
  constexpr int images = 4000;
  std::vector<int> times(grid);
  for (std::uint64_t i = 0; i < images; ++i) {
    auto const visible = visible_positions(plan_of(mask, image.context(i)));
    REQUIRE(visible.size() == 2 * grid);  // 8 * 0.3 = 2.4 columns
    for (std::size_t k = 0; k < visible.size(); ++k)
      CHECK(visible[k] % grid == visible[k % 2] % grid);
    ++times[static_cast<std::size_t>(visible[0] % grid)];
    ++times[static_cast<std::size_t>(visible[1] % grid)];
  }
  for (int const count : times) CHECK(std::abs(count - images / 4) < 5 * 28);  // sqrt(n p (1 - p))
}

TEST_CASE("a column mask refuses grids that it is not made for") {
  mask_images::patched_image const image;
  CHECK_THROWS_WITH_AS(plan_of(mae::column_mask(0.5, 4), image.context()),
                       doctest::Contains("made for 4 columns of patches, an image has 8"),
                       mae::config_error);
  CHECK_THROWS_AS(mae::column_mask(0.5, 1), mae::config_error);
  CHECK_THROWS_AS(mae::column_mask(1.0, 8), mae::config_error);
  CHECK(mae::column_mask(0.01, 8).max_visible(64) == 56);
  CHECK(mae::column_mask(0.99, 8).max_visible(64) == 8);
}

TEST_CASE("a block mask hides exactly its share, in blocks") {
  mask_images::patched_image const image;
  for (double const ratio : {0.1, 0.5, 0.75, 0.98}) {
    CAPTURE(ratio);
    mae::block_mask const mask(ratio);
    for (std::uint64_t i = 0; i < 200; ++i) {
      auto const plan = plan_of(mask, image.context(i));
      CHECK(plan.counts(0) == mae::split_by_ratio(mask_images::patches, ratio));
    }
  }
  // Blindly, 112 pairs of neighbours are hidden both with probability (32 * 31) / (64 * 63).
  CHECK(mean_hidden_neighbours(mae::block_mask(0.5)) > 1.5 * 112 * (32.0 * 31) / (64 * 63));
}

TEST_CASE("a fixed mask hides what it is told to") {
  mask_images::patched_image const image;
  std::vector<std::uint8_t> hidden(2 * mask_images::patches, 1);
  hidden[3] = 0;
  hidden[mask_images::patches + 5] = 0;
  hidden[mask_images::patches + 9] = 0;
  mae::fixed_mask const mask(hidden, 2, mask_images::patches);
  CHECK(mask.max_visible(mask_images::patches) == 2);
  CHECK(visible_positions(plan_of(mask, image.context(0))) == std::vector<mae::patch_index>{3});
  CHECK(visible_positions(plan_of(mask, image.context(1))) == std::vector<mae::patch_index>{5, 9});
  CHECK_THROWS_WITH_AS(plan_of(mask, image.context(2)),
                       doctest::Contains("masks for 2 images, none for image 2"),
                       mae::config_error);
  mae::fixed_mask const of_all({hidden.begin(), hidden.begin() + 64}, 1, mask_images::patches);
  CHECK(visible_positions(plan_of(of_all, image.context(7))) == std::vector<mae::patch_index>{3});
  hidden[0] = 0;
  CHECK(mae::fixed_mask(hidden, 2, mask_images::patches).settings() != mask.settings());
}

TEST_CASE("a fixed mask that hides all, or nothing, or fits no image is refused") {
  using bytes = std::vector<std::uint8_t>;
  CHECK_THROWS_WITH_AS(mae::fixed_mask(bytes{0, 1, 1, 1}, 2, 2),
                       doctest::Contains("mask 1 hides every patch"),
                       mae::config_error);
  CHECK_THROWS_WITH_AS(mae::fixed_mask(bytes{0, 0}, 1, 2),
                       doctest::Contains("mask 0 hides no patch"),
                       mae::config_error);
  CHECK_THROWS_AS(mae::fixed_mask(bytes{0, 1, 0}, 1, 2), mae::config_error);
  CHECK_THROWS_AS(mae::fixed_mask(bytes{}, 0, 2), mae::config_error);
  CHECK_THROWS_WITH_AS(mae::fixed_mask(bytes{0, 1}, 1, 2).max_visible(64),
                       doctest::Contains("masks of 2 patches for images of 64"),
                       mae::config_error);
}
