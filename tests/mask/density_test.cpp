#include "mask_images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/density.hpp>
#include <mae/mask/density_mask.hpp>
#include <mae/mask/levels.hpp>
#include <mae/mask/plan.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <vector>

using mae::density_measure;
using mae::index_t;
using mask_images::plan_of;
using mask_images::visible_positions;

namespace {

constexpr mae::image_extent extent{.height = 32, .width = 32, .channels = 3};
constexpr mae::patch_extent patch{.height = 4, .width = 4};

/// An image of noise of so many images whose contrasts differ.
void read_noise(index_t index, std::span<float> pixels) {
  mae::random_stream random(
      {.use = mae::purpose::synthetic, .index = static_cast<std::uint64_t>(index)});
  double const contrast = std::pow(random.uniform_double(), 3);
  for (float& value : pixels)
    value = static_cast<float>(0.5 + contrast * (random.uniform_double() - 0.5));
}

mask_images::patched_image noise(index_t index) {
  std::vector<float> pixels(static_cast<std::size_t>(extent.values()));
  read_noise(index, pixels);
  mask_images::patched_image image;
  mae::patchify(pixels, extent, patch, mae::matrix_view<float>(image.values.data(), 64, 48));
  return image;
}

mae::density_quantiles measured(density_measure measure, index_t images, int threads = 2) {
  mae::thread_pool pool(threads);
  return mae::measure_density(measure, images, extent, patch, read_noise, pool);
}

}  // namespace

TEST_CASE("densities are what their definitions say") {
  // 2 x 2 pixels of two channels.
  std::array<float, 8> const pixels = {0.0F, 1.0F, 0.5F, 1.0F, 0.25F, 0.0F, 0.5F, 0.5F};
  double const noise = std::pow(4.0 / 255, 2);
  // Along rows 0.5, 0; 0.25, 0.5; down columns 0.25, -1; 0, -0.5.
  double const squares = 0.25 + 0 + 0.0625 + 0.25 + 0.0625 + 1 + 0 + 0.25;
  CHECK(mae::patch_density(density_measure::gradient, pixels, 2, 2) ==
        doctest::Approx(std::log(squares / 8 + noise)));
  // Brightness 0.5, 0.75, 0.125, 0.5: bins 8, 12, 2, 8.
  CHECK(mae::patch_density(density_measure::entropy, pixels, 2, 2) == doctest::Approx(1.5));
  CHECK(mae::patch_density(density_measure::variance, pixels, 2, 2) ==
        mae::log_information(pixels, 2));
  std::array<float, 3> const one = {0.3F, 0.4F, 1.0F};
  CHECK(mae::patch_density(density_measure::gradient, one, 3, 1) ==
        doctest::Approx(std::log(noise)));
  CHECK(mae::patch_density(density_measure::entropy, one, 3, 1) == 0);
}

TEST_CASE("a density mask hides its ratio of the training set, by any measure") {
  constexpr index_t images = 2000;
  for (auto const measure :
       {density_measure::variance, density_measure::gradient, density_measure::entropy}) {
    CAPTURE(mae::to_string(measure));
    for (double const swing : {0.2, -0.2}) {
      mae::density_mask const mask({.ratio = 0.75,
                                    .swing = swing,
                                    .measure = measure,
                                    .training = measured(measure, images)});
      CHECK(mask.max_visible(64) == 29);  // 64 * 0.45 = 28.8
      index_t visible = 0;
      std::set<index_t> counts;
      for (index_t i = 0; i < images; ++i) {
        auto const count =
            plan_of(mask, noise(i).context(static_cast<std::uint64_t>(i))).counts(0).visible;
        visible += count;
        counts.insert(count);
      }
      // 16 on average; rounding scatters by 0.5 at most an image, the quantiles by 1/512 of 25.6.
      CHECK(std::abs(static_cast<double>(visible) / images - 16) <
            0.05 + 3 * 0.5 / std::sqrt(2000));
      CHECK(*counts.begin() <= 4);
      CHECK(*counts.rbegin() >= 28);
    }
  }
}

TEST_CASE("a density mask hides less of what is denser") {
  auto const measure = density_measure::gradient;
  mae::density_mask const mask(
      {.swing = 0.2, .measure = measure, .training = measured(measure, 500)});
  mask_images::patched_image const plain;
  CHECK(plan_of(mask, plain.context()).counts(0).visible <= 4);
  auto dense = plain;
  for (std::size_t i = 0; i < dense.values.size(); i += 2) dense.values[i] = 1;
  CHECK(plan_of(mask, dense.context()).counts(0).visible >= 28);
}

TEST_CASE("few images are all in the distribution") {
  for (index_t const images : {2, 10, 40}) {
    mae::density_mask const mask(
        {.swing = 0.2, .training = measured(density_measure::variance, images)});
    double visible = 0;
    constexpr int draws = 500;
    for (index_t i = 0; i < images; ++i)
      for (std::uint64_t draw = 0; draw < draws; ++draw)
        visible += static_cast<double>(plan_of(mask, noise(i).context(draw)).counts(0).visible);
    CHECK(visible / static_cast<double>(images * draws) == doctest::Approx(16).epsilon(0.01));
  }
}

TEST_CASE("equal densities are in the middle of their places") {
  mae::density_mask const mask({.swing = 0.2, .training = mae::density_quantiles(257, -8.0F)});
  mae::density_mask const other(
      {.swing = 0.2,
       .training = mae::density_quantiles(
           257, static_cast<float>(mae::log_information(std::vector<float>(48), 3)))});
  mask_images::patched_image const plain;
  CHECK(plan_of(other, plain.context()).counts(0).visible == 16);
}

TEST_CASE("densities are measured to the same bits on any number of threads") {
  CHECK(measured(density_measure::entropy, 300, 1) == measured(density_measure::entropy, 300, 3));
}

TEST_CASE("a density mask refuses what it cannot be") {
  mae::density_quantiles const right = {-1, 0, 1};
  CHECK_NOTHROW(mae::density_mask({.training = right}));
  CHECK_THROWS_AS(mae::density_mask({.ratio = 0.9, .swing = -0.1, .training = right}),
                  mae::config_error);
  CHECK_THROWS_AS(mae::density_mask({.training = {}}), mae::config_error);
  CHECK_THROWS_AS(mae::density_mask({.training = {1, 0}}), mae::config_error);
  // 16 patches of which the plainest image would show 0.16, and some at least must be seen.
  CHECK_THROWS_WITH_AS(
      mae::density_mask({.ratio = 0.9, .swing = 0.09, .training = right}).max_visible(16),
      doctest::Contains("less than one of its 16 patches"),
      mae::config_error);
  auto context = noise(1).context();
  context.patch_width = 0;
  std::vector<float> densities(64);
  CHECK_THROWS_WITH_AS(mae::patch_densities(density_measure::gradient, context, densities),
                       doctest::Contains("patch_width"),
                       mae::config_error);
  CHECK_THROWS_AS(mae::density_mask({.training = {0, std::numeric_limits<float>::quiet_NaN()}}),
                  mae::config_error);
}

TEST_CASE("a level mask hides a share of each level of density, which moves") {
  auto const image = noise(3);
  auto context = image.context();
  std::vector<float> densities(64);
  mae::patch_densities(density_measure::variance, context, densities);
  std::vector<std::size_t> order(64);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(
      order.begin(), order.end(), [&](auto a, auto b) { return densities[a] < densities[b]; });
  mae::level_mask const mask({.from = {1, 0.75, 0.5, 0.5}, .to = {0.5, 0.75, 0.5, 1}});
  mae::level_mask const in_four(
      {.from = {1, 0.75, 0.5, 0.5}, .to = {0.5, 0.75, 0.5, 1}, .period = 4});
  auto const seen_by = [&](mae::level_mask const& by) {
    auto const visible = visible_positions(plan_of(by, context));
    std::array<int, 4> seen{};
    for (std::size_t k = 0; k < order.size(); ++k)
      for (auto const position : visible)
        if (static_cast<std::size_t>(position) == order[k]) ++seen[k / 16];
    return seen;
  };
  auto const seen_of_levels = [&](double progress) {
    context.progress = progress;
    return seen_by(mask);
  };
  using levels = std::array<int, 4>;
  CHECK(seen_of_levels(0) == levels{0, 4, 8, 8});
  CHECK(seen_of_levels(0.5) == levels{4, 4, 8, 4});
  CHECK(seen_of_levels(1) == levels{8, 4, 8, 0});
  for (std::int64_t const step : {0, 4, 60}) {  // whatever the progress
    context.step = step;
    CHECK(seen_by(in_four) == levels{0, 4, 8, 8});
    context.step = step + 2;
    CHECK(seen_by(in_four) == levels{4, 4, 8, 4});
  }
  CHECK(mask.max_visible(64) == 28);
}

TEST_CASE("a level mask's levels may be of unequal size, and its shares at their ends") {
  auto const image = noise(4);
  mae::level_mask const mask({.from = {1, 1, 0.97}, .to = {0, 0, 0.03}});
  auto context = image.context();
  CHECK(plan_of(mask, context).counts(0) == mae::mask_counts{1, 63});  // one is seen always
  context.progress = 1;
  CHECK(plan_of(mask, context).counts(0) == mae::mask_counts{63, 1});
  CHECK_THROWS_AS(mae::level_mask({.from = {0.5}, .to = {0.5}}), mae::config_error);
  CHECK_THROWS_AS(mae::level_mask({.from = {0.5, 0.5}, .to = {0.5}}), mae::config_error);
  CHECK_THROWS_AS(mae::level_mask({.from = {1, 1}, .to = {0.5, 0.5}}), mae::config_error);
  CHECK_THROWS_AS(mae::level_mask({.from = {0.5, 2}, .to = {0.5, 0.5}}), mae::config_error);
  CHECK_THROWS_AS(mae::level_mask({.period = -1}), mae::config_error);
}
