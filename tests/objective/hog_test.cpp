#include "objective_reference.hpp"
#include "reference_pixels.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/objective/hog.hpp>
#include <mae/patch/patchify.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

using mae::matrix_view;

TEST_CASE_TEMPLATE("histograms of oriented gradients are scikit-image's", T, float, double) {
  double const tolerance = sizeof(T) == 4 ? 1e-6 : 1e-7;  // scikit-image sums floats
  auto const config = sizes_of({8, 12, 2}, {4, 6});
  mae::hog const objective({.cell = 2, .bins = 9, .form = mae::hog_form::plain});
  CHECK(greatest_difference(all_targets_of<T>(objective, config, reference_pixels(config.image)),
                            objective_reference::hog_plain) < tolerance);
  auto const odd = sizes_of({6, 9, 1}, {3, 3});
  mae::hog const eight({.cell = 3, .bins = 8, .form = mae::hog_form::plain});
  CHECK(greatest_difference(all_targets_of<T>(eight, odd, reference_pixels(odd.image)),
                            objective_reference::hog_plain_8_bins) < tolerance);
}

TEST_CASE_TEMPLATE("MaskFeat's targets are mmpretrain's, for any patch", T, float, double) {
  double const tolerance = sizeof(T) == 4 ? 1e-6 : 1e-8;
  auto const square = sizes_of({32, 16, 3}, {16, 16});
  CHECK(mae::hog().cell_of(square.patch) == 8);
  CHECK(greatest_difference(all_targets_of<T>(mae::hog(), square, reference_pixels(square.image)),
                            objective_reference::hog_maskfeat) < tolerance);
  auto const oblong = sizes_of({8, 12, 2}, {4, 6});
  CHECK(greatest_difference(
            all_targets_of<T>(mae::hog({.cell = 2}), oblong, reference_pixels(oblong.image)),
            objective_reference::hog_maskfeat_oblong) < tolerance);
}

TEST_CASE("a flat cell has no direction, nor has an image of one pixel") {
  auto const config = sizes_of({4, 8, 1}, {4, 4});
  std::vector<float> pixels(32, 0.7F);
  for (auto const value : all_targets_of<float>(mae::hog(), config, pixels)) CHECK(value == 0);
  pixels[3] += 1e-7F;  // what resampling leaves
  for (auto const value : all_targets_of<float>(mae::hog(), config, pixels))
    CHECK(std::abs(value) < 0.05F);
  auto const line = sizes_of({1, 2, 1}, {1, 1});
  auto const of_line = all_targets_of<float>(mae::hog(), line, {0, 1});
  CHECK(std::all_of(of_line.begin(), of_line.end(), [](float value) { return value == 0; }));
}

TEST_CASE("only the patches that are asked for are described, wherever they lie") {
  auto const config = sizes_of({8, 12, 2}, {4, 6});
  auto const pixels = reference_pixels(config.image);
  auto const all = all_targets_of<float>(mae::hog({.cell = 2}), config, pixels);
  std::vector<float> cut(pixels.size());
  mae::patchify(pixels, config.image, config.patch, matrix_view<float>(cut.data(), 4, 48));
  std::vector<float> last(108);
  mae::hog({.cell = 2})
      .target(config,
              matrix_view<float const>(cut.data(), 4, 48),
              std::vector<mae::patch_index>{3},
              matrix_view<float>(last.data(), 1, 108));
  CHECK(std::equal(last.begin(), last.end(), all.end() - 108));
}

TEST_CASE("cells must divide a patch, and stay within it") {
  CHECK(mae::hog().cell_of({14, 14}) == 7);
  CHECK(mae::hog().cell_of({4, 4}) == 4);
  CHECK(mae::hog().cell_of({16, 24}) == 8);
  CHECK_THROWS_WITH_AS(static_cast<void>(mae::hog({.cell = 3}).cell_of({4, 4})),
                       "hog: cells of 3 pixels do not divide a patch of 4x4 pixels: a cell's side "
                       "must divide both of the patch's",
                       mae::config_error);
  CHECK_THROWS_AS(static_cast<void>(mae::hog({.cell = 8}).cell_of({4, 8})), mae::config_error);
  CHECK_THROWS_AS(mae::hog({.bins = 1}), mae::config_error);
  CHECK_THROWS_AS(mae::hog({.cell = -1}), mae::config_error);
}
