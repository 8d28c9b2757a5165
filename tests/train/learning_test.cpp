#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using model_type = mae_test::small_model<>;

/// Wide enough to know eight images by heart.
constexpr mae::model_config wide_config{
    .image = mae_test::small_config.image,
    .patch = mae_test::small_config.patch,
    .encoder = {.depth = 2, .width = 64, .heads = 4},
    .decoder = {.depth = 2, .width = 64, .heads = 4},
};

constexpr auto image_values = static_cast<std::size_t>(model_type::config.image.values());

/// Two random images under masks of different counts, with absent patches.
struct masked_batch {
  masked_batch() : pixels(2 * image_values), plan(2, model_type::num_patches) {
    mae::random_stream random({.use = mae::purpose::probe});
    for (float& pixel : pixels) pixel = static_cast<float>(random.normal());
    std::vector<float> scores(static_cast<std::size_t>(model_type::num_patches));
    for (index_t image = 0; image < 2; ++image) {
      mae::score_noise(random, scores);
      plan.assign(image, {.visible = 4 + image, .target = 9 - image}, scores);
    }
  }

  /// The same images, but for the pixels of one patch of the first.
  std::vector<float> with_other_pixels_in(index_t patch) const {
    auto const& [extent, size, encoder, decoder] = model_type::config;
    index_t const top = patch / model_type::config.grid_columns() * size.height;
    index_t const left = patch % model_type::config.grid_columns() * size.width;
    auto changed = pixels;
    for (index_t row = top; row < top + size.height; ++row)
      for (index_t value = 0; value < size.width * extent.channels; ++value) {
        auto const at = (row * extent.width + left) * extent.channels + value;
        changed[static_cast<std::size_t>(at)] = static_cast<float>(value % 7) - 3.0F;
      }
    return changed;
  }

  std::vector<float> pixels;
  mae::mask_plan plan;
};

/// A model that has learned a little, so that no symmetry of the beginning is left.
model_type short_trained_model() {
  auto const images = mae_test::painted_images(64, 3);
  model_type model({.seed = 6, .backend = mae::eigen_backend<float>(2)});
  mae::trainer trainer(
      model, images, {.batch_size = 32, .steps = 10, .lr = 1e-2, .warmup_epochs = 0});
  trainer.run();
  return model;
}

bool contains(std::span<mae::patch_index const> patches, index_t patch) {
  return std::ranges::find(patches, static_cast<mae::patch_index>(patch)) != patches.end();
}

}  // namespace

TEST_CASE("eight images are learned by heart, under masks that change at every step") {
  auto const images = mae_test::painted_images(8, 3);
  mae::autoencoder<wide_config> model({.seed = 1, .backend = mae::eigen_backend<float>(2)});
  mae::trainer trainer(model,
                       images,
                       {.batch_size = 8,
                        .steps = 400,
                        .lr = 4e-3,
                        .warmup_epochs = 20,
                        .clip = 1,
                        .augment = {.crop_min = 1, .flip = false}},
                       mae::adamw{.weight_decay = 0});
  mae::step_report first;
  mae::step_report last;
  trainer.run({.on_step = [&](mae::step_report const& report) {
    if (report.step == 1) first = report;
    last = report;
  }});
  CHECK(last.loss <= 0.05 * first.loss);
  CHECK(last.loss <= 0.10 * last.baseline);  // an untrained model is worse than zero
}

TEST_CASE("a short training predicts hidden patches of unseen images better than their mean") {
  auto const images = mae_test::painted_images(1000, 3);
  auto const unseen = mae_test::painted_images(300, 77);
  auto const check = [&](auto model) {
    mae::trainer trainer(model, images, {.batch_size = 50, .epochs = 8, .lr = 1e-2, .clip = 1});
    auto const before = mae::evaluate_heldout(model, unseen);
    CHECK(before.loss > before.baseline);
    trainer.run();
    auto const after = mae::evaluate_heldout(model, unseen);
    CHECK(after.loss < 0.85 * after.baseline);
    CHECK(after.baseline == before.baseline);
  };
  check(model_type({.seed = 1}));  // zero is the patch's own mean
  check(mae::autoencoder<model_type::config,
                         model_type::mask_type,
                         model_type::backend_type,
                         mae::pixels>({.seed = 1}));  // zero is the mean of the training set
}

TEST_CASE("a hidden patch's pixels change the loss and no prediction; an absent patch's nothing") {
  auto const model = short_trained_model();
  masked_batch const batch;
  auto const reference = model.forward(batch.pixels, batch.plan);
  for (index_t patch = 0; patch < model_type::num_patches; ++patch) {
    if (contains(batch.plan.visible(0), patch)) continue;
    CAPTURE(patch);
    auto const changed = model.forward(batch.with_other_pixels_in(patch), batch.plan);
    CHECK(mae_test::bits_of(changed.prediction) == mae_test::bits_of(reference.prediction));
    CHECK((changed.loss != reference.loss) == contains(batch.plan.target(0), patch));
  }
}

TEST_CASE("a visible patch's pixels change every prediction of their own image and no other") {
  auto const model = short_trained_model();
  masked_batch const batch;
  auto const reference = model.forward(batch.pixels, batch.plan);
  auto const own = static_cast<std::size_t>(batch.plan.counts(0).target);
  auto const width = static_cast<std::size_t>(reference.target_width);
  for (index_t const patch : batch.plan.visible(0)) {
    CAPTURE(patch);
    auto const changed = model.forward(batch.with_other_pixels_in(patch), batch.plan);
    for (std::size_t row = 0; row < reference.prediction.size() / width; ++row) {
      auto const before = std::span(reference.prediction).subspan(row * width, width);
      auto const after = std::span(changed.prediction).subspan(row * width, width);
      CHECK(std::ranges::equal(before, after) == (row >= own));
    }
    CHECK(changed.baseline == reference.baseline);
  }
}
