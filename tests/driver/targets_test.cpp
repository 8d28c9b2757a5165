#include "beginning.hpp"
#include "chosen_objective.hpp"
#include "feature_health.hpp"
#include "images.hpp"
#include "options.hpp"
#include "target_health.hpp"
#include "target_pictures.hpp"
#include "target_sample.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/mask/plan.hpp>
#include <mae/objective/fourier.hpp>
#include <mae/objective/hog.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/principal.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

namespace {

using pretrain::chosen_objective;

/// Sixteen images of 32 x 32 pixels, which nobody has seen before.
pretrain::image_set noisy_images() {
  std::vector<std::uint8_t> pixels(std::size_t{16} * 32 * 32 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(static_cast<std::uint32_t>(i * 2654435761U) >> 24U);
  return pretrain::image_set(mae::memory_dataset<std::uint8_t>(
      std::move(pixels), {.extent = {.height = 32, .width = 32, .channels = 3}}));
}

chosen_objective made(pretrain::options const& settings) {
  mae::thread_pool threads(1);
  return pretrain::make_objective(settings, noisy_images(), {}, threads);
}

/// Patches of 4 x 4 and 3 channels, as quick4's.
constexpr mae::model_config sizes{.image = {.height = 8, .width = 8, .channels = 3},
                                  .patch = {.height = 4, .width = 4},
                                  .encoder = {},
                                  .decoder = {}};

mae::mask_plan half_hidden(mae::index_t images) {
  mae::mask_plan plan(images, 4);
  for (mae::index_t i = 0; i < images; ++i)
    plan.assign(i, {2, 2}, std::vector<float>{0.9F, 0.1F, 0.2F, 0.8F});  // patches 0 and 3
  return plan;
}

}  // namespace

TEST_CASE("a driver's objective is the library's, and says what it was made with") {
  pretrain::options settings;
  settings.objective = pretrain::objective_choice::hog;
  auto const hog = made(settings);
  CHECK(hog.settings() ==
        mae::settings_list{
            {"objective", "hog"}, {"hog_cell", "4"}, {"hog_bins", "9"}, {"hog_form", "maskfeat"}});
  CHECK(hog.target_width(sizes) == 27);
  CHECK_FALSE(hog.is_picture());
  CHECK(pretrain::describe_targets(hog, sizes) ==
        "27 values a patch: hog, cells of 4x4 pixels, 9 directions of each channel");
  settings.objective = pretrain::objective_choice::fourier;
  CHECK(made(settings).target_width(sizes) == 36);
  settings.objective = pretrain::objective_choice::principal;
  settings.principal_patches = 400;
  auto const principal = made(settings);
  CHECK(principal.settings() == mae::settings_list{{"objective", "principal"},
                                                   {"principal_dropped", "3"},
                                                   {"principal_patches", "400"}});
  CHECK(principal.target_width(sizes) == 45);
  CHECK(principal.is_picture());
  CHECK(principal.tensors().size() == 3);
  CHECK(made(settings).tensors()[1].values[7] == principal.tensors()[1].values[7]);
  settings.seed = 1;
  CHECK(made(settings).tensors()[1].values[7] != principal.tensors()[1].values[7]);
  CHECK(made({}).settings().front().value == "normalised");
}

TEST_CASE("what an objective cannot be made with is refused by the flag") {
  pretrain::options settings;
  settings.objective = pretrain::objective_choice::hog;
  settings.hog_cell = 3;
  CHECK_THROWS_WITH_AS(made(settings),
                       "--hog-cell 3 does not divide a patch of 4x4 pixels: give a side that "
                       "divides both of the patch's",
                       mae::config_error);
  settings.hog_cell = 8;
  CHECK_THROWS_AS(made(settings), mae::config_error);
  settings.objective = pretrain::objective_choice::principal;
  settings.principal_drop = 48;
  CHECK_THROWS_WITH_AS(made(settings),
                       "--principal-drop 48 leaves none of the 48 components of a patch: give a "
                       "smaller number",
                       mae::config_error);
}

TEST_CASE("edges are drawn along the edge, across the gradient") {
  // The left half black, the right half white: an upright edge.
  std::vector<float> stored(192);
  for (std::size_t i = 0; i < stored.size(); ++i) stored[i] = i % 24 < 6 || i % 24 >= 18 ? 0 : 1;
  for (auto const form : {mae::hog_form::maskfeat, mae::hog_form::plain}) {
    chosen_objective const objective(mae::hog({.cell = 4, .bins = 9, .form = form}));
    auto sample = pretrain::all_targets(objective, sizes, stored, 1);
    sample.predictions.assign(54, 0.0F);
    auto const rows = pretrain::compose_targets(objective, sizes, stored, half_hidden(1), sample);
    REQUIRE(rows.size() == 1);
    auto const& drawn = rows[0].reconstructed;
    CHECK(drawn.extent == mae::image_extent{.height = 24, .width = 24, .channels = 1});
    auto const at = [&](std::size_t row, std::size_t column) {
      return drawn.values[row * 24 + column];
    };
    // About the middle of the first cell: bright above and below, dark to the left and right.
    CHECK(at(1, 5) + at(1, 6) > 0.9F);
    CHECK(at(10, 5) + at(10, 6) > 0.9F);
    CHECK(at(5, 1) + at(6, 1) < 0.1F);
    CHECK(rows[0].masked.values[0] == 0.5F);
    CHECK(rows[0].pasted.values[24 + 6] == 0);           // hidden, and nothing predicted
    CHECK(rows[0].pasted.values[24 + 18] == at(1, 18));  // visible
  }
}

TEST_CASE("a spectrum's middle is its lowest frequency, and a wave stands beside it") {
  std::vector<float> stored(192);
  for (std::size_t i = 0; i < stored.size(); ++i) stored[i] = i / 3 % 2 == 0 ? 1 : -1;  // columns
  chosen_objective const objective(mae::fourier_magnitudes{});
  auto sample = pretrain::all_targets(objective, sizes, stored, 1);
  sample.predictions.assign(72, 0.0F);
  auto const rows = pretrain::compose_targets(objective, sizes, stored, half_hidden(1), sample);
  auto const& drawn = rows[0].reconstructed;
  CHECK(drawn.extent == sizes.image);
  for (std::size_t row = 0; row < 4; ++row)
    for (std::size_t column = 0; column < 4; ++column)
      CHECK(drawn.values[(row * 8 + column) * 3] ==
            doctest::Approx(row == 2 && column == 0 ? 1 : 0));
  sample.predictions[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(pretrain::compose_targets(objective, sizes, stored, half_hidden(1), sample),
                  mae::config_error);
}

TEST_CASE("the health of predictions is their variance and rank beside the targets'") {
  pretrain::target_sample sample{.width = 2};
  // Of patches 0 and 3 of two images; the others are not looked at.
  sample.targets = {1, 0, 9, 9, 9, 9, -1, 0, 1, 4, 9, 9, 9, 9, -1, -4};
  sample.predictions = {2, 2, 2, 2, 4, 4, 4, 4};
  auto const found = pretrain::measure_targets(sample, half_hidden(2));
  CHECK(found.target_variance == doctest::Approx((1. + 8) / 2));
  CHECK(found.prediction_variance == doctest::Approx(1));
  CHECK(found.prediction_rank == doctest::Approx(1));
  sample.predictions.assign(8, 3.0F);
  CHECK(pretrain::measure_targets(sample, half_hidden(2)).prediction_variance == 0);
  CHECK(pretrain::measure_targets(sample, half_hidden(2)).prediction_rank == 0);
  sample.predictions[1] = std::numeric_limits<float>::infinity();
  CHECK(std::isnan(pretrain::measure_targets(sample, half_hidden(2)).prediction_rank));
}

TEST_CASE("a collapse is said by what collapsed, in the record that shows it") {
  pretrain::health_record const good{.step = 0,
                                     .effective_rank = 20,
                                     .deviation = 0.5,
                                     .target_variance = 1,
                                     .prediction_variance = 0.6};
  std::vector<pretrain::health_record> records{good, good};
  records[1].step = 10;
  records[1].epoch = 1;
  CHECK(pretrain::collapse_in(records).empty());
  CHECK(pretrain::collapse_in({}).empty());
  auto const with = [&](auto change) {
    auto changed = records;
    change(changed.back());
    return pretrain::collapse_in(changed);
  };
  CHECK(with([](auto& last) { last.prediction_variance = 0.00004; }) ==
        "predictions have collapsed: their variance is 4e-05, the targets' 1");
  CHECK(with([](auto& last) { last.effective_rank = 1.2; }) ==
        "features have collapsed: their effective rank is 1.2, their deviation on the unit sphere "
        "0.5");
  CHECK(with([](auto& last) { last.deviation = 0; }).starts_with("features have collapsed"));
  CHECK(with([](auto& last) { last.target_variance = 0; }).starts_with("the targets of all"));
  CHECK(with([](auto& last) {
          last.target_variance = 0.00004;
          last.prediction_variance = 0.00003;
        }) == "targets have collapsed: their variance is 4e-05, it was 1");
  CHECK(with([](auto& last) {
          last.prediction_variance = 0.00004;
          last.epoch = 0.5;  // it begins with the targets' mean
        }).empty());
  // An older file's record says nothing of predictions.
  CHECK(with([](auto& last) {
          last.target_variance = last.prediction_variance = std::nan("");
        }).empty());
}
