#include "model_images.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/reconstruction.hpp>
#include <mae/objective/pixels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <thread>
#include <vector>

namespace {

using mae::index_t;
using mae_test::cut_images;
using mae_test::odd_config;

using backend = mae::eigen_backend<float>;
using mask = mae::uniform_mask<mae::ratio{3, 4}>;
using normalised_model = mae::autoencoder<odd_config>;
using pixel_model = mae::autoencoder<odd_config, mask, backend, mae::pixels>;

/// So that others of the threads take the next image.
struct slow_pixels : mae::pixels {
  template <class T>
  void target(mae::model_config const& config,
              mae::matrix_view<T const> patches,
              std::span<mae::patch_index const> rows,
              mae::matrix_view<T> targets) const {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    pixels::target(config, patches, rows, targets);
  }
};

/// Three images, of which the second and the third have absent patches.
std::vector<float> images() {
  return mae_test::random_images(odd_config, 3, 1);
}
mae::mask_plan plan() {
  return mae_test::random_plan(odd_config, {{3, 9}, {2, 5}, {6, 1}}, 2);
}

std::span<float const> image_of(std::vector<float> const& all, index_t image) {
  auto const each = static_cast<std::size_t>(odd_config.image.values());
  return std::span(all).subspan(static_cast<std::size_t>(image) * each, each);
}

/// Calls visit(image, patch) for every patch of the plan that is present, or absent.
template <class Visit>
void for_patches(mae::mask_plan const& plan, bool present, Visit const& visit) {
  for (index_t image = 0; image < plan.images(); ++image)
    for (mae::patch_index patch = 0; patch < plan.patches(); ++patch) {
      auto const is_in = [&](auto list) { return std::ranges::binary_search(list, patch); };
      if ((is_in(plan.visible(image)) || is_in(plan.target(image))) == present) visit(image, patch);
    }
}

bool rows_equal(std::span<float const> a, std::span<float const> b) {
  return std::ranges::equal(a, b);
}

/// The mean square of a matrix less another.
double mean_square_difference(std::span<float const> a, std::span<float const> b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - double{b[i]}, 2);
  return sum / static_cast<double>(a.size());
}

/// The mean magnitude of that.
double mean_difference(std::span<float const> a, std::span<float const> b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(double{a[i]} - double{b[i]});
  return sum / static_cast<double>(a.size());
}

}  // namespace

TEST_CASE("the loss is the mean cost of predictions less targets, the baseline of targets") {
  normalised_model const model({.seed = 3});
  normalised_model const l1_model({.seed = 3, .loss = {.of = mae::patch_loss::kind::l1}});
  auto const given = images();
  auto const masks = plan();
  auto const result = model.forward(given, masks);
  CHECK(result.targets == 15);
  CHECK(result.target_width == 140);
  REQUIRE(result.prediction.size() == 15 * 140);

  cut_images const patches(odd_config, given);
  std::vector<float> targets(result.prediction.size());
  float* first = targets.data();
  for (index_t image = 0; image < masks.images(); ++image) {
    auto const rows = masks.target(image);
    mae::matrix_view<float> const view(first, std::ssize(rows), 140);
    model.objective().target<float>(odd_config, patches.of(image), rows, view);
    first += view.size();
  }
  std::vector<float> const zeros(targets.size());
  CHECK(result.loss ==
        doctest::Approx(mean_square_difference(result.prediction, targets)).epsilon(1e-6));
  CHECK(result.baseline == doctest::Approx(mean_square_difference(zeros, targets)).epsilon(1e-6));

  auto const by_l1 = l1_model.forward(given, masks);
  CHECK(by_l1.prediction == result.prediction);
  CHECK(by_l1.loss == doctest::Approx(mean_difference(result.prediction, targets)).epsilon(1e-6));
  CHECK(by_l1.baseline == doctest::Approx(mean_difference(zeros, targets)).epsilon(1e-6));
}

TEST_CASE("a smooth_l1 needs a beta that is positive and finite") {
  for (double const beta : {0.0, -1.0, std::numeric_limits<double>::infinity()})
    CHECK_THROWS_AS(
        normalised_model({.loss = {.of = mae::patch_loss::kind::smooth_l1, .beta = beta}}),
        mae::config_error);
}

TEST_CASE("a patch that is absent stays as it is, to the bit; all others are painted") {
  normalised_model const model({.seed = 4});
  auto const given = images();
  auto const painted = model.reconstruct(given, plan());
  REQUIRE(painted.size() == given.size());
  cut_images const before(odd_config, given);
  cut_images const after(odd_config, painted);
  for_patches(plan(), false, [&](index_t image, index_t patch) {
    CHECK(rows_equal(before.of(image).row(patch), after.of(image).row(patch)));
  });
  for_patches(plan(), true, [&](index_t image, index_t patch) {
    CHECK_FALSE(rows_equal(before.of(image).row(patch), after.of(image).row(patch)));
  });
}

TEST_CASE("what is painted over a target is the prediction, in pixels") {
  auto const given = images();
  auto const masks = plan();
  cut_images const before(odd_config, given);
  auto const check_painted = [&](auto const& model) {
    auto const painted = model.reconstruct(given, masks);
    cut_images const after(odd_config, painted);
    auto const predicted = model.forward(given, masks).prediction;
    index_t row = 0;
    for (index_t image = 0; image < masks.images(); ++image) {
      auto const targets = masks.target(image);
      mae::matrix_view<float const> const all(predicted.data(), std::ssize(predicted) / 140, 140);
      std::vector<float> pixels(targets.size() * 140);
      mae::matrix_view<float> const view(pixels.data(), std::ssize(targets), 140);
      model.objective().template to_pixels<float>(
          before.of(image), targets, all.middle_rows(row, view.rows), view);
      for (std::size_t i = 0; i < targets.size(); ++i)
        CHECK(mean_square_difference(after.of(image).row(targets[i]),
                                     view.row(static_cast<index_t>(i))) <= 1e-10);
      row += view.rows;
    }
  };
  check_painted(normalised_model({.seed = 5}));
  check_painted(pixel_model({.seed = 5}));
}

TEST_CASE("a picture of normalised predictions has each true patch's mean") {
  normalised_model model({.seed = 6});
  // A head of zeros predicts zero everywhere: the mean alone remains.
  std::ranges::fill(model.parameters().tensor("decoder_pred.weight"), 0.0F);
  auto const given = images();
  auto const painted = model.reconstruct(given, plan());
  cut_images const before(odd_config, given);
  cut_images const after(odd_config, painted);
  for_patches(plan(), true, [&](index_t image, index_t patch) {
    double mean = 0;
    for (double const value : before.of(image).row(patch)) mean += value / 140;
    for (double const value : after.of(image).row(patch)) CHECK(std::abs(value - mean) <= 1e-6);
  });
}

TEST_CASE("R21: a masked pixel changes the loss alone, an absent one nothing, a visible one all") {
  pixel_model const model({.seed = 7});
  auto const masks = plan();
  auto const given = images();
  auto const before = model.forward(given, masks);
  auto const changed_at = [&](index_t patch) {  // of image 1, whose rows of 3 patches are 5 high
    auto changed = given;
    index_t const pixel = patch / 3 * 5 * 21 + patch % 3 * 7;
    changed[static_cast<std::size_t>(odd_config.image.values() + pixel * 4)] += 1.0F;
    return model.forward(changed, masks);
  };
  auto const masked = changed_at(masks.target(1).front());
  CHECK(masked.prediction == before.prediction);
  CHECK(masked.loss != before.loss);
  for_patches(masks, false, [&](index_t image, index_t patch) {
    if (image != 1) return;
    auto const absent = changed_at(patch);
    CHECK(absent.prediction == before.prediction);
    CHECK(absent.loss == before.loss);
  });
  auto const visible = changed_at(masks.visible(1).front());
  CHECK(visible.prediction != before.prediction);
}

TEST_CASE("an image's pictures and predictions depend on nothing but itself, not even on threads") {
  auto const given = images();
  auto const masks = plan();
  normalised_model const one_thread({.seed = 8, .backend = backend(1)});
  normalised_model const three_threads({.seed = 8, .backend = backend(3)});
  auto const together = one_thread.reconstruct(given, masks);
  CHECK(three_threads.reconstruct(given, masks) == together);
  auto const forward = one_thread.forward(given, masks);
  CHECK(three_threads.forward(given, masks).prediction == forward.prediction);
  CHECK(three_threads.forward(given, masks).loss == forward.loss);

  auto const second = std::vector<float>(image_of(given, 1).begin(), image_of(given, 1).end());
  auto const three = mae_test::random_plan(odd_config, {{2, 5}, {2, 5}, {2, 5}}, 9);
  auto const alone = mae_test::random_plan(odd_config, {{2, 5}}, 9);  // the mask of the first
  std::vector<float> rotated(second);
  rotated.insert(rotated.end(), given.begin(), given.begin() + 2 * odd_config.image.values());
  auto const in_batch = one_thread.reconstruct(rotated, three);
  CHECK(rows_equal(image_of(in_batch, 0), one_thread.reconstruct(second, alone)));
}

TEST_CASE("any of many threads may take one of few images") {
  auto const given = images();
  auto const masks = plan();
  using model = mae::autoencoder<odd_config, mask, backend, slow_pixels>;
  auto const expected = pixel_model({.seed = 8}).forward(given, masks);
  model const eight_threads({.seed = 8, .backend = backend(8)});
  for (int i = 0; i < 50; ++i)
    REQUIRE(eight_threads.forward(given, masks).prediction == expected.prediction);
}

TEST_CASE("a plan for another batch is refused, and images cut short") {
  normalised_model const model;
  auto const given = images();
  auto const masks = plan();
  CHECK_THROWS_WITH_AS(model.forward(std::span(given).first(2 * 1680), masks),
                       "the mask plan is for 3 images of 12 patches, the batch has 2 of 12",
                       mae::config_error);
  CHECK_THROWS_WITH_AS(model.forward(given, mae::mask_plan::all_visible(3, 16)),
                       "the mask plan is for 3 images of 16 patches, the batch has 3 of 12",
                       mae::config_error);
  CHECK_THROWS_WITH_AS(model.forward(std::span(given).first(3 * 1680 - 1), masks),
                       "5039 values are no whole number of images of 1680 values",
                       mae::config_error);
  CHECK_THROWS_AS(model.reconstruct(std::span(given).first(1680), masks), mae::config_error);
  CHECK_THROWS_AS(model.reconstruct(given, mae::mask_plan::all_visible(3, 11)), mae::config_error);
}
