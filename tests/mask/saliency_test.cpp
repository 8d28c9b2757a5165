#include "mask_images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/log_information.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/patch/patchify.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using mae::saliency_mask;
using mask_images::patched_image;
using mask_images::plan_of;
using mask_images::visible_positions;

constexpr index_t busy_patches = 32;  // of the 64; the first ones

/// An image of which the first half of the patches is noise of the given contrast, the rest flat.
patched_image half_busy_image(std::uint64_t index, float contrast = 0.5F) {
  patched_image image;
  mae::random_stream random({.seed = 11, .use = mae::purpose::synthetic, .index = index});
  for (std::size_t i = 0; i < image.values.size(); ++i) {
    float const noise = contrast * (random.uniform() - 0.5F);
    image.values[i] =
        0.5F + (static_cast<index_t>(i) < busy_patches * mask_images::patch_values ? noise : 0.0F);
  }
  return image;
}

/// A dataset of noise images (32, 32, 3), each of a contrast of its own.
struct noise_dataset {
  static mae::image_extent extent() { return {.height = 32, .width = 32, .channels = 3}; }
  static index_t size() { return 1500; }
  static double pixel_scale() { return 1.0; }
  static index_t label(index_t /*index*/) { return -1; }
  static index_t num_classes() { return 0; }
  static void read(index_t index, std::span<float> pixels) {
    mae::random_stream random(
        {.seed = 3, .use = mae::purpose::synthetic, .index = static_cast<std::uint64_t>(index)});
    auto const contrast = static_cast<float>(std::exp(0.6 * random.normal() - 2.0));
    for (float& pixel : pixels) pixel = 0.5F + contrast * (random.uniform() - 0.5F);
  }
};
static_assert(mae::Dataset<noise_dataset>);

constexpr mae::patch_extent patch{.height = 4, .width = 4};

patched_image image_of(noise_dataset const& dataset, index_t index) {
  std::vector<float> pixels(static_cast<std::size_t>(noise_dataset::extent().values()));
  dataset.read(index, pixels);
  patched_image image;
  mae::patchify(pixels,
                noise_dataset::extent(),
                patch,
                {image.values.data(), mask_images::patches, mask_images::patch_values});
  return image;
}

/// How many of the visible patches are busy, on average over many images, with equal counts.
double busy_visible(double strength) {
  constexpr int images = 2000;
  saliency_mask const mask{{.strength = strength, .swing = 0.0}};
  int busy = 0;
  for (std::uint64_t i = 0; i < images; ++i)
    for (auto const position : visible_positions(plan_of(mask, half_busy_image(i).context(i))))
      busy += position < busy_patches ? 1 : 0;
  return static_cast<double>(busy) / images;
}

}  // namespace

TEST_CASE("log-information is the variance within each channel, not between channels") {
  constexpr double noise = 16.0 / (255.0 * 255.0);
  // Two pixels of two channels. A plain red patch: no information.
  std::vector<float> const red{1.0F, 0.0F, 1.0F, 0.0F};
  CHECK(mae::log_information(red, 2) == doctest::Approx(std::log(noise)));
  // Variances 1/16 and 1/4: mean 5/32.
  std::vector<float> const busy{0.0F, 1.0F, 0.5F, 0.0F};
  CHECK(mae::log_information(busy, 2) == doctest::Approx(std::log(5.0 / 32.0 + noise)));
}

TEST_CASE("the mean log-information is that of the patches") {
  patched_image const image = half_busy_image(0);
  auto const patches = image.context().patches;
  double sum = 0;
  for (index_t i = 0; i < patches.rows; ++i) sum += mae::log_information(patches.row(i), 3);
  CHECK(mae::mean_log_information(patches, 3) == doctest::Approx(sum / 64));
}

TEST_CASE("a strength of 0 is the uniform mask of the same seed, bit for bit") {
  noise_dataset const dataset;
  saliency_mask const mask{{.strength = 0.0, .training = {-5.0, 0.5}}};
  mae::uniform_mask<mae::ratio{3, 4}> const uniform{};
  CHECK(mask.max_visible(64) == uniform.max_visible(64));
  for (std::uint64_t index = 0; index < 100; ++index) {
    patched_image const image = image_of(dataset, static_cast<index_t>(index));
    auto const saliency_plan = plan_of(mask, image.context(index));
    auto const uniform_plan = plan_of(uniform, image.context(index));
    CHECK(saliency_plan.counts(0) == uniform_plan.counts(0));
    CHECK(visible_positions(saliency_plan) == visible_positions(uniform_plan));
  }
  std::vector<float> scores(64);
  std::vector<float> uniform_scores(64);
  auto random = mask_images::mask_stream(9);
  auto uniform_random = mask_images::mask_stream(9);
  mask.score(image_of(dataset, 9).context(9), random, scores);
  uniform.score({}, uniform_random, uniform_scores);
  CHECK(scores == uniform_scores);
}

TEST_CASE("a strength near 0 is the uniform mask too: the formula has no jump there") {
  saliency_mask const mask{{.strength = 1e-9, .swing = 0.0}};
  for (std::uint64_t i = 0; i < 50; ++i) {
    auto const image = half_busy_image(i);
    CHECK(visible_positions(plan_of(mask, image.context(i))) ==
          visible_positions(plan_of(mae::uniform_mask<>{0.75}, image.context(i))));
  }
}

TEST_CASE("scores follow the definition") {
  constexpr double strength = 0.7;
  patched_image const image = half_busy_image(4, 0.3F);
  auto const patches = image.context().patches;
  std::vector<double> information;
  for (index_t i = 0; i < 64; ++i) information.push_back(mae::log_information(patches.row(i), 3));
  double mean = 0;
  for (double const s : information) mean += s / 64;
  double variance = 0;
  for (double const s : information) variance += (s - mean) * (s - mean) / 64;

  std::vector<float> scores(64);
  auto random = mask_images::mask_stream(4);
  saliency_mask{{.strength = strength, .swing = 0.0}}.score(image.context(4), random, scores);
  auto noise = mask_images::mask_stream(4);
  for (std::size_t i = 0; i < 64; ++i) {
    double const z = std::clamp((information[i] - mean) / std::sqrt(variance), -2.0, 2.0);
    double const u = noise.uniform();
    CHECK(scores[i] == doctest::Approx(-std::log(1 - u) * std::exp(-strength * z)).epsilon(1e-5));
  }
}

TEST_CASE("one busy patch among plain ones counts as two deviations, no more") {
  patched_image image;
  for (std::size_t i = 0; i < mask_images::patch_values; ++i)
    image.values[i] = static_cast<float>(i % 2);
  std::vector<float> scores(64);
  auto random = mask_images::mask_stream(0);
  saliency_mask{{.strength = 1.0, .swing = 0.0}}.score(image.context(), random, scores);
  auto noise = mask_images::mask_stream(0);
  double const time = -std::log1p(-static_cast<double>(noise.uniform()));
  CHECK(scores[0] == doctest::Approx(time * std::exp(-2.0)).epsilon(1e-6));
}

TEST_CASE("busy patches are hidden less often with a positive strength, more with a negative one") {
  // Half of the patches are busy: 8 of the 16 visible ones where the image has no say. The
  // deviation of the mean over 2000 images is about 0.04.
  CHECK(busy_visible(0.0) == doctest::Approx(8.0).epsilon(0.025));
  double const favoured = busy_visible(0.5);
  double const hidden = busy_visible(-0.5);
  CHECK(favoured > 10.0);
  CHECK(busy_visible(1.5) > favoured + 1.0);
  CHECK(hidden < 6.0);
  CHECK(busy_visible(-1.5) < hidden - 1.0);
}

TEST_CASE("a flat image is masked uniformly, at the plainest image's ratio") {
  // 1/3 is no float, and neither the mean nor the deviation of 64 equal values may show it.
  patched_image image;
  for (float& value : image.values) value = 1.0F / 3.0F;
  saliency_mask const mask{{.training = {-5.0, 0.5}}};
  for (std::uint64_t i = 0; i < 20; ++i) {
    auto const plan = plan_of(mask, image.context(i));
    CHECK(plan.counts(0) == mae::mask_counts{10, 54});  // 64 * 0.15, rounded: tanh is near -1
    CHECK(visible_positions(plan) ==
          visible_positions(plan_of(mae::uniform_mask<>{1 - 10.5 / 64}, image.context(i))));
  }
}

TEST_CASE("busier images hide less, between the ratio's bounds") {
  saliency_mask const mask{{.training = {-6.0, 0.8}}};
  index_t last = 0;
  for (float const contrast : {0.0F, 0.05F, 0.2F, 0.5F, 1.0F}) {
    auto const counts = plan_of(mask, half_busy_image(1, contrast).context()).counts(0);
    CHECK(counts.visible >= std::max<index_t>(last, 10));
    CHECK(counts.visible <= mask.max_visible(64));
    CHECK(counts.visible + counts.target == 64);
    last = counts.visible;
  }
  CHECK(mask.max_visible(64) == 22);  // 64 * 0.35, rounded
  CHECK(last > 16);
}

TEST_CASE("visible patches are rounded and stay within [1, N - 1]") {
  saliency_mask const mask{{.ratio = 0.75, .swing = 0.0}};
  std::vector<float> const pixels(6);
  auto random = mask_images::mask_stream(0);
  CHECK(mask.counts({.patches = {pixels.data(), 6, 1}, .channels = 1}, random) ==
        mae::mask_counts{2, 4});  // 1.5 rounds up
  CHECK(saliency_mask{{.ratio = 0.9, .swing = 0.0}}.max_visible(2) == 1);
  CHECK(saliency_mask{{.ratio = 0.1, .swing = 0.0}}.max_visible(2) == 1);
}

TEST_CASE("with measured statistics the mean visible count is a quarter, within 2%") {
  noise_dataset const dataset;
  mae::thread_pool threads(2);
  saliency_mask const mask{{.training = mae::measure_saliency(dataset, patch, threads)}};
  double visible = 0;
  bool varies = false;
  for (index_t i = 0; i < noise_dataset::size(); ++i) {
    auto random = mask_images::mask_stream(static_cast<std::uint64_t>(i));
    auto const count = mask.counts(image_of(dataset, i).context(), random).visible;
    visible += static_cast<double>(count) / static_cast<double>(noise_dataset::size());
    varies = varies || count < 12 || count > 20;
  }
  CHECK(std::abs(visible - 16.0) <= 0.02 * 16.0);
  CHECK(varies);
}

TEST_CASE("measured statistics do not depend on the threads and follow what is read") {
  noise_dataset const dataset;
  mae::thread_pool one(1);
  mae::thread_pool three(3);
  auto const measured = mae::measure_saliency(dataset, patch, one);
  CHECK(measured == mae::measure_saliency(dataset, patch, three));

  double sum = 0;
  for (index_t i = 0; i < noise_dataset::size(); ++i)
    sum += mae::mean_log_information(image_of(dataset, i).context().patches, 3);
  CHECK(measured.mean == doctest::Approx(sum / static_cast<double>(noise_dataset::size())));

  auto const smoother = [&](index_t index, std::span<float> pixels) {
    dataset.read(index, pixels);
    for (float& pixel : pixels) pixel *= 0.5F;
  };
  CHECK(mae::measure_saliency(100, noise_dataset::extent(), patch, smoother, three).mean <
        measured.mean);
  CHECK_THROWS_AS(mae::measure_saliency(0, noise_dataset::extent(), patch, smoother, one),
                  mae::config_error);
}

TEST_CASE("options that cannot be used are refused") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr mae::saliency_statistics measured{-5.0, 0.5};
  CHECK_NOTHROW(saliency_mask{{.training = measured}});
  CHECK_THROWS_AS((saliency_mask{{.strength = nan, .training = measured}}), mae::config_error);
  CHECK_THROWS_AS((saliency_mask{{.swing = nan, .training = measured}}), mae::config_error);
  CHECK_THROWS_AS((saliency_mask{{.swing = -0.1, .training = measured}}), mae::config_error);
  CHECK_THROWS_AS((saliency_mask{{.swing = 0.25, .training = measured}}), mae::config_error);
  CHECK_THROWS_AS((saliency_mask{{.ratio = 0.05, .training = measured}}), mae::config_error);
  CHECK_THROWS_AS((saliency_mask{{.ratio = nan, .training = measured}}), mae::config_error);
  CHECK_THROWS_AS((saliency_mask{{.training = {nan, 0.5}}}), mae::config_error);
  CHECK_THROWS_AS((saliency_mask{{.training = {-5.0, nan}}}), mae::config_error);
  // Statistics that were never measured.
  CHECK_THROWS_AS(saliency_mask{mae::saliency_options{}}, mae::config_error);
}

TEST_CASE("a saliency mask states its settings, the measured ones included") {
  CHECK(mae::settings_of("mask", saliency_mask{{.training = {-5.25, 0.5}}}) ==
        mae::settings_list{{"mask", "saliency"},
                           {"saliency_strength", "0.5"},
                           {"mask_ratio", "0.75"},
                           {"saliency_swing", "0.1"},
                           {"saliency_mean", "-5.25"},
                           {"saliency_deviation", "0.5"}});
}
