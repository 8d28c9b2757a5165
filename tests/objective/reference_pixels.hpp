#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

/// Sizes of images and patches alone.
constexpr mae::model_config sizes_of(mae::image_extent const& image,
                                     mae::patch_extent const& patch) {
  return {.image = image, .patch = patch, .encoder = {}, .decoder = {}};
}

/// As `image` of make_objective_reference.py: (H, W, C).
inline std::vector<float> reference_pixels(mae::image_extent const& extent) {
  std::vector<float> pixels(static_cast<std::size_t>(extent.values()));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(static_cast<std::uint32_t>(i * 2654435761U) >> 24U) / 256;
  return pixels;
}

/// An objective's targets (N, width) of all patches of an image.
template <class T, class Objective>
std::vector<T> all_targets_of(Objective const& objective,
                              mae::model_config const& config,
                              std::vector<float> const& pixels) {
  std::vector<float> cut(pixels.size());
  auto const count = config.num_patches();
  mae::patchify(pixels,
                config.image,
                config.patch,
                mae::matrix_view<float>(cut.data(), count, config.patch_values()));
  std::vector<T> const patches(cut.begin(), cut.end());
  std::vector<mae::patch_index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), mae::patch_index{0});
  mae::index_t const width = objective.target_width(config);
  std::vector<T> targets(rows.size() * static_cast<std::size_t>(width), T{-99});
  objective.target(config,
                   mae::matrix_view<T const>(patches.data(), count, config.patch_values()),
                   rows,
                   mae::matrix_view<T>(targets.data(), count, width));
  return targets;
}

/// The greatest difference of two lists; infinite where they are not equally long.
template <class Found>
double greatest_difference(Found const& found, std::span<double const> expected) {
  if (found.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(found[i]) - expected[i]));
  return most;
}
