#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/data/resized_dataset.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/heldout.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae_test::small_config;
using mae_test::small_dataset;

template <mae::MaskPolicy Mask = mae::uniform_mask<mae::ratio{3, 4}>>
mae_test::small_model<Mask> make_model(small_dataset const& images,
                                       int threads = 2,
                                       Mask const& mask = {}) {
  mae_test::small_model<Mask> model(
      {.seed = 5, .mask = mask, .backend = mae::eigen_backend<float>(threads)});
  model.set_statistics(mae::channel_statistics(images, model.backend().threads()));
  return model;
}

struct no_images {
  mae::image_extent extent() const { return small_config.image; }
  index_t size() const { return 0; }
  double pixel_scale() const { return 1; }
  index_t label(index_t /*index*/) const { return -1; }
  index_t num_classes() const { return 0; }
  void read(index_t /*index*/, std::span<float> /*pixels*/) const { FAIL("no image is there"); }
};
static_assert(mae::Dataset<no_images>);

/// The same by its definition: image after image, through the model's public forward pass.
mae::heldout_loss plain_loss(auto const& model, small_dataset const& images, index_t count) {
  auto const values = static_cast<std::size_t>(small_config.image.values());
  mae::uniform_mask<mae::ratio{3, 4}> const mask;
  mae::mask_plan plan(1, small_config.num_patches());
  std::vector<float> scores(static_cast<std::size_t>(small_config.num_patches()));
  std::vector<float> image(values);
  std::vector<float> patches(values);
  mae::heldout_loss sum;
  for (index_t i = 0; i < count; ++i) {
    images.read(i, image);
    matrix_view<float> const view(
        patches.data(), small_config.num_patches(), small_config.patch_values());
    mae::patchify(std::span<float const>(image), small_config.image, small_config.patch, view);
    mae::random_stream random(
        {.use = mae::purpose::heldout_mask, .index = static_cast<std::uint64_t>(i)});
    mae::plan_image(plan, 0, mask, {.patches = view}, random, scores);
    mae::normalise_pixels(image, model.statistics());
    auto const result = model.forward(image, plan);
    REQUIRE(result.targets == 12);
    sum.loss += result.loss / static_cast<double>(count);
    sum.baseline += result.baseline / static_cast<double>(count);
  }
  return sum;
}

std::uint64_t bits_of(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

}  // namespace

TEST_CASE("the held-out loss is the mean over images under one fixed mask each") {
  auto const images = mae_test::painted_images(600, 2);  // more than are loaded at once
  auto const model = make_model(images);
  for (index_t const count : {1, 20, 512, 600}) {
    CAPTURE(count);
    auto const expected = plain_loss(model, images, count);
    auto const [loss, baseline] = mae::evaluate_heldout(model, images, count);
    CHECK(loss == doctest::Approx(expected.loss).epsilon(1e-6));
    CHECK(baseline == doctest::Approx(expected.baseline).epsilon(1e-6));
  }
}

TEST_CASE("without a number of images, or with too many, all are taken") {
  auto const images = mae_test::painted_images(70, 2);
  auto const model = make_model(images);
  auto const all = mae::evaluate_heldout(model, images, 70);
  CHECK(bits_of(mae::evaluate_heldout(model, images).loss) == bits_of(all.loss));
  CHECK(bits_of(mae::evaluate_heldout(model, images, 1000).loss) == bits_of(all.loss));
  CHECK(bits_of(mae::evaluate_heldout(model, images, 69).loss) != bits_of(all.loss));
}

TEST_CASE("the model's own mask policy, its threads and a repetition change no bit") {
  auto const images = mae_test::painted_images(200, 2);
  auto const expected = mae::evaluate_heldout(make_model(images), images);
  auto const check = [&](auto const& model) {
    auto const [loss, baseline] = mae::evaluate_heldout(model, images);
    CHECK(bits_of(loss) == bits_of(expected.loss));
    CHECK(bits_of(baseline) == bits_of(expected.baseline));
  };
  auto const ramped = make_model(images, 2, mae::ramped_mask({.from = 0.3, .to = 0.9}));
  check(ramped);
  check(ramped);
  check(make_model(images, 1));
  check(make_model(images, 5));
}

TEST_CASE("a model without statistics takes images as they are") {
  auto const images = mae_test::painted_images(20, 3);
  mae_test::small_model<> const model({.seed = 5});
  REQUIRE(model.statistics().mean.empty());
  auto const loss = mae::evaluate_heldout(model, images);
  auto const expected = plain_loss(model, images, 20);
  CHECK(loss.loss == doctest::Approx(expected.loss).epsilon(1e-5));
  CHECK(loss.baseline == doctest::Approx(expected.baseline).epsilon(1e-5));
}

TEST_CASE("no images, and images of another extent, have no held-out loss") {
  auto const images = mae_test::painted_images(4, 3);
  auto const model = make_model(images);
  no_images const nothing;
  CHECK_THROWS_WITH_AS(mae::evaluate_heldout(model, nothing),
                       "a dataset without images has no held-out loss",
                       mae::config_error);
  mae::resized_dataset const larger(images, {.height = 32, .width = 32});
  CHECK_THROWS_WITH_AS(mae::evaluate_heldout(model, larger),
                       "images of 32x32x3 for a model of images of 16x16x3",
                       mae::config_error);
}
