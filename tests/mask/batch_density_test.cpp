#include "mask_images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/batch_budget.hpp>
#include <mae/mask/batch_density.hpp>
#include <mae/mask/loss_density.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace {

using mae::index_t;

std::vector<index_t> met(std::vector<double> const& wishes, index_t patches, index_t total) {
  std::vector<index_t> visible(wishes.size());
  mae::meet_budget(wishes, patches, total, visible);
  return visible;
}

mae::density_mask_options options_of(double ratio, double swing) {
  return {.ratio = ratio, .swing = swing, .training = {-5, -4, -3, -2, -1}};
}

mae::loss_density_mask by_losses(index_t images, index_t samples) {
  return mae::loss_density_mask(
      {.swing = 0.2, .momentum = 0.5, .images = images, .samples = samples});
}

/// Tells a mask that each of an image's two hidden patches lost so much, and lets it learn.
void tell(mae::loss_density_mask& mask, std::vector<std::array<float, 3>> const& image_and_losses) {
  mask_images::patched_image const image;
  std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
  std::array<mae::patch_index, 2> const targets{3, 9};
  index_t sample = 0;
  for (auto const& [number, first, second] : image_and_losses) {
    std::array const losses{first, second};
    mask.add_gradient({.image = image.context(static_cast<std::uint64_t>(number)),
                       .visible = {},
                       .targets = targets,
                       .losses = losses,
                       .sample = sample++},
                      sums);
  }
  mask.update(sums, std::ssize(image_and_losses));
}

double mean_visible(mae::loss_density_mask const& mask, std::uint64_t number) {
  mask_images::patched_image const image;
  constexpr int draws = 4000;
  index_t visible = 0;
  for (int i = 0; i < draws; ++i) {
    auto random = mask_images::mask_stream(number, static_cast<std::uint64_t>(i));
    visible += mask.counts(image.context(number), random).visible;
  }
  return static_cast<double>(visible) / draws;
}

}  // namespace

TEST_CASE("a budget is met exactly, by counts that keep the wishes' order and show and hide one") {
  mae::random_stream random({.use = mae::purpose::mask});
  for (int round = 0; round < 200; ++round) {
    auto const patches = static_cast<index_t>(4 + random.below(60));
    auto const images = static_cast<index_t>(1 + random.below(40));
    std::vector<double> wishes;
    for (index_t i = 0; i < images; ++i)
      wishes.push_back(static_cast<double>(patches) * (1.4 * random.uniform_double() - 0.2));
    auto const room = static_cast<std::uint64_t>(images * (patches - 2));
    index_t const total = images + static_cast<index_t>(random.below(room + 1));
    auto const visible = met(wishes, patches, total);
    CHECK(std::accumulate(visible.begin(), visible.end(), index_t{0}) == total);
    CHECK(*std::min_element(visible.begin(), visible.end()) >= 1);
    CHECK(*std::max_element(visible.begin(), visible.end()) <= patches - 1);
    for (std::size_t i = 0; i < wishes.size(); ++i)
      for (std::size_t j = 0; j < wishes.size(); ++j)
        if (wishes[i] >= wishes[j] + 1) CHECK(visible[i] >= visible[j]);
  }
}

TEST_CASE("wishes that meet their budget are rounded alone") {
  CHECK(met({4, 8, 12}, 16, 24) == std::vector<index_t>{4, 8, 12});
  CHECK(met({2.5, 2.5, 2.5, 2.5}, 16, 10) == std::vector<index_t>{3, 2, 3, 2});
  CHECK(met({4, 8, 12}, 16, 27) == std::vector<index_t>{5, 9, 13});
  CHECK(met({0, 8, 40}, 16, 24) == std::vector<index_t>{1, 8, 15});  // cut, and nobody moved
}

TEST_CASE("a budget that no counts within [1, N - 1] have is refused") {
  CHECK_NOTHROW(met({8, 8}, 16, 2));
  CHECK_NOTHROW(met({8, 8}, 16, 30));
  CHECK_THROWS_WITH_AS(met({8, 8}, 16, 1),
                       "a budget of 1 visible patches of 2 images of 16 patches: each must show "
                       "one and hide one; take another ratio",
                       mae::config_error);
  CHECK_THROWS_AS(met({8, 8}, 16, 31), mae::config_error);
}

TEST_CASE("wishes that are not finite are refused") {
  for (double const wrong : {std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity()})
    CHECK_THROWS_WITH_AS(
        met({8, wrong, 8}, 16, 24), doctest::Contains("is not a finite number"), mae::config_error);
}

TEST_CASE("a batch of dense images hides the ratio, and more of the plainer ones") {
  mae::batch_density_mask const mask(options_of(0.75, 0.2));
  CHECK(mask.max_visible(64) == 63);
  std::vector<double> const wishes{28, 27, 25, 24};  // all dense: 16 each is the budget
  std::vector<index_t> visible(wishes.size());
  mask.counts_of_batch(wishes, 64, visible);
  CHECK(visible == std::vector<index_t>{18, 17, 15, 14});
  CHECK(std::accumulate(visible.begin(), visible.end(), index_t{0}) == 64);
  mask_images::patched_image const plain;
  CHECK(mask.wish(plain.context()) == doctest::Approx(64 * 0.05));  // less dense than all
  CHECK(mask.settings().back() == mae::setting{"mask_budget", "batch"});
  CHECK_THROWS_AS(mae::batch_density_mask(options_of(0.95, 0.1)), mae::config_error);
  CHECK_THROWS_AS(mae::batch_density_mask(options_of(0.9, 0.09)).max_visible(64),
                  mae::config_error);
}

TEST_CASE("a density by losses is the mean norm of gradients, a moving average by image") {
  auto mask = by_losses(4, 3);
  CHECK(mask.num_sums() == 6);
  CHECK(std::ranges::all_of(mask.state(0), [](float density) { return density < 0; }));
  CHECK(mean_visible(mask, 2) == doctest::Approx(16).epsilon(0.01));  // nobody was seen
  tell(mask, {{2, 4, 16}, {0, 0.25F, 0.25F}});
  // Norms (2 + 4) / 2 and 0.5, whose mean is 1.75.
  CHECK(mask.state(0)[0] == doctest::Approx(0.5 / 1.75));
  CHECK(mask.state(0)[1] < 0);
  CHECK(mask.state(0)[2] == doctest::Approx(3 / 1.75));
  tell(mask, {{2, 4, 4}, {3, 36, 36}});  // 2 and 6
  CHECK(mask.state(0)[2] == doctest::Approx((3 / 1.75 + 0.5) / 2));
  CHECK(mask.state(0)[3] == doctest::Approx(1.5));
  CHECK(mask.state(0)[0] == doctest::Approx(0.5 / 1.75));
  tell(mask, {{1, 0, 0}});  // nobody's is larger: as large as the mean
  CHECK(mask.state(0)[1] == 1);
}

TEST_CASE("a density by losses has its place among those that were told of") {
  auto mask = by_losses(4, 3);
  tell(mask, {{2, 4, 16}, {0, 0.25F, 0.25F}});
  // The hardest of the two hides ratio - swing, the easiest ratio + swing, the unseen the ratio.
  CHECK(mean_visible(mask, 2) == doctest::Approx(64 * 0.45).epsilon(0.01));
  CHECK(mean_visible(mask, 0) == doctest::Approx(64 * 0.05).epsilon(0.02));
  CHECK(mean_visible(mask, 1) == doctest::Approx(16).epsilon(0.01));
}

TEST_CASE("a density by losses keeps its ratio on average while losses fall") {
  constexpr index_t count = 320;
  constexpr index_t batch = 16;
  auto mask = by_losses(count, batch);
  mask_images::patched_image const image;
  mae::random_stream random({.use = mae::purpose::synthetic});
  std::vector<float> hardness;
  for (index_t i = 0; i < count; ++i) hardness.push_back(0.5F + random.uniform());
  double visible = 0;
  int drawn = 0;
  for (int step = 0; step < 5 * 20; ++step) {
    std::vector<std::array<float, 3>> told;
    for (index_t i = 0; i < batch; ++i) {
      index_t const number = step % 20 * batch + i;
      // Of images that were told of an epoch ago, when the last epochs are nearly over.
      for (std::uint64_t draw = 0; step >= 40 && step % 20 >= 14 && draw < 20; ++draw, ++drawn) {
        auto stream = mask_images::mask_stream(static_cast<std::uint64_t>(number), draw);
        visible += static_cast<double>(
            mask.counts(image.context(static_cast<std::uint64_t>(number)), stream).visible);
      }
      float const norm =
          hardness[static_cast<std::size_t>(number)] * std::exp(-0.03F * static_cast<float>(step));
      told.push_back({static_cast<float>(number), norm * norm, norm * norm});
    }
    tell(mask, told);
  }
  CHECK(visible / drawn / 64 == doctest::Approx(0.25).epsilon(0.02));
}

TEST_CASE("a density by losses takes its distribution when an eighth of the images were told of") {
  auto mask = by_losses(80, 4);
  auto const quantiles = [&mask] {
    return std::vector<float>(mask.state(1).begin(), mask.state(1).end());
  };
  auto const tell_four = [&mask](float first) {
    tell(mask, {{first, 1, 1}, {first + 1, 4, 4}, {first + 2, 9, 9}, {first + 3, 16, 25}});
  };
  tell_four(0);  // the first is taken at once
  auto const first = quantiles();
  CHECK(first.front() > 0);
  CHECK(mask.state(2)[0] == 0);
  tell(mask, {{4, 1, 1}, {5, 100, 100}});
  tell_four(6);
  CHECK(quantiles() == first);
  CHECK(mask.state(2)[0] == 6);
  tell_four(10);
  CHECK(quantiles() != first);
  CHECK(mask.state(2)[0] == 0);
}

TEST_CASE("what a damaged file gives a mask by losses is refused, and nothing beyond is touched") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  for (auto const& sums : {std::vector<double>{5, 1},
                           std::vector<double>{-1, 1},
                           std::vector<double>{0.5, 1},
                           std::vector<double>{1.5, 1},
                           std::vector<double>{1e300, 1},
                           std::vector<double>{nan, 1},
                           std::vector<double>{1, nan},
                           std::vector<double>{1, -1}}) {
    auto mask = by_losses(4, 1);
    CHECK_THROWS_WITH_AS(
        mask.update(sums, 1), doctest::Contains("'mask.pending'"), mae::config_error);
    CHECK(std::ranges::all_of(mask.state(0), [](float density) { return density < 0; }));
  }
  mask_images::patched_image const image;
  auto mask = by_losses(4, 1);
  tell(mask, {{1, 4, 4}});
  CHECK(mean_visible(mask, 1) == doctest::Approx(16).epsilon(0.01));
  for (float const wrong : {static_cast<float>(nan), 9.0F, -9.0F}) {
    auto damaged = mask;
    damaged.state(1)[100] = wrong;
    CHECK_THROWS_WITH_AS(
        mean_visible(damaged, 1), doctest::Contains("'mask.quantiles'"), mae::config_error);
  }
  mask.state(0)[1] = static_cast<float>(nan);  // as if it had not been seen
  CHECK(mean_visible(mask, 1) == doctest::Approx(16).epsilon(0.01));
  tell(mask, {{1, 4, 4}});
  CHECK(mask.state(0)[1] == 1);
}

TEST_CASE("the square root of a squared error is its gradient's norm, but for a constant") {
  // l = mean (y - t)^2 of P values: the norm of dl/dy, by differences, over sqrt(l).
  mae::random_stream random({.use = mae::purpose::mask});
  constexpr std::size_t values = 12;
  double least = 1e9;
  double most = 0;
  for (int round = 0; round < 20; ++round) {
    std::array<double, values> error{};
    for (double& e : error) e = 4 * random.uniform_double() - 1;
    auto const loss = [&error] {
      double sum = 0;
      for (double const e : error) sum += e * e;
      return sum / values;
    };
    double squares = 0;
    for (double& e : error) {
      constexpr double step = 1e-5;
      e += step;
      double const up = loss();
      e -= 2 * step;
      double const down = loss();
      e += step;
      squares += std::pow((up - down) / (2 * step), 2);
    }
    double const quotient = std::sqrt(squares) / std::sqrt(loss());
    least = std::min(least, quotient);
    most = std::max(most, quotient);
  }
  CHECK(most / least == doctest::Approx(1).epsilon(1e-8));
  CHECK(most == doctest::Approx(2 / std::sqrt(12.0)).epsilon(1e-8));
}

TEST_CASE("a mask by losses refuses images and samples that it was not made for") {
  auto mask = by_losses(4, 1);
  CHECK_THROWS_WITH_AS(tell(mask, {{4, 1, 1}}),
                       "mask by losses: made for 4 images, and asked for image 4",
                       mae::config_error);
  CHECK_THROWS_WITH_AS(tell(mask, {{1, 1, 1}, {2, 1, 1}}),
                       "mask by losses: made for steps of 1 samples, and told of one more",
                       mae::config_error);
  CHECK_THROWS_AS(by_losses(0, 1), mae::config_error);
  CHECK_THROWS_AS(by_losses(4, 0), mae::config_error);
  CHECK_THROWS_AS(mae::loss_density_mask({.ratio = 0.9, .swing = 0.2, .images = 4, .samples = 1}),
                  mae::config_error);
  CHECK_THROWS_AS(mae::loss_density_mask({.momentum = 1, .images = 4, .samples = 1}),
                  mae::config_error);
}
