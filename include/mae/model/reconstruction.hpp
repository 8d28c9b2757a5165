#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/network.hpp>
#include <mae/model/shard.hpp>
#include <mae/objective/objective.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What a forward pass over a batch says. W is the number of targets.
template <class T>
struct forward_result {
  double loss = 0;      // the mean over targets of a patch's mean squared error
  double baseline = 0;  // the same for predicting zero
  index_t targets = 0;  // W
  index_t target_width = 0;
  std::vector<T> prediction;  // (W, target width), image after image, ascending positions
};

/// The images of a shard that are few enough for its layers to stay in the L2 cache, and enough
/// that the weights are read rarely: about 256 rows of the longest sequences.
constexpr index_t images_per_shard(index_t tokens) {
  constexpr index_t rows = 256;
  return std::max<index_t>(1, ceil_div(rows, tokens));
}

namespace detail {

inline void check_images(model_config const& config, std::size_t values, mask_plan const& plan) {
  auto const images = static_cast<index_t>(values) / config.image.values();
  if (static_cast<index_t>(values) != images * config.image.values())
    throw config_error(std::to_string(values) + " values are no whole number of images of " +
                       std::to_string(config.image.values()) + " values");
  if (plan.images() != images || plan.patches() != config.num_patches())
    throw config_error("the mask plan is for " + std::to_string(plan.images()) + " images of " +
                       std::to_string(plan.patches()) + " patches, the batch has " +
                       std::to_string(images) + " of " + std::to_string(config.num_patches()));
}

/// One image's patches (N, P), in the backend's scalar type.
template <class T>
std::vector<T> patches_of(model_config const& config, std::span<float const> image) {
  std::vector<float> patches(image.size());
  patchify(image,
           config.image,
           config.patch,
           matrix_view<float>(patches.data(), config.num_patches(), config.patch_values()));
  return {patches.begin(), patches.end()};
}

}  // namespace detail

/// Masks a batch as the plan says and predicts its targets. `images` (B, H, W, C), normalised.
/// Throws config_error when plan and images do not agree.
template <Backend B, Objective O, class T = typename B::scalar>
forward_result<T> forward_images(B const& backend,
                                 network_sizes const& sizes,
                                 network_weights<T const> const& weights,
                                 O const& objective,
                                 std::span<float const> images,
                                 mask_plan const& plan) {
  auto const& config = sizes.config;
  detail::check_images(config, images.size(), plan);
  auto const image_values = static_cast<std::size_t>(config.image.values());
  forward_result<T> result;
  result.target_width = sizes.target_width;
  std::vector<index_t> offsets(static_cast<std::size_t>(plan.images()) + 1, 0);
  for (index_t i = 0; i < plan.images(); ++i)
    offsets[static_cast<std::size_t>(i) + 1] =
        offsets[static_cast<std::size_t>(i)] + plan.counts(i).target;
  result.targets = offsets.back();
  result.prediction.resize(static_cast<std::size_t>(result.targets * sizes.target_width));

  struct sums {
    double loss = 0;
    double zero = 0;
  };
  std::vector<sums> image_sums(static_cast<std::size_t>(plan.images()));
  backend.threads().for_each(plan.images(), [&](index_t i, int /*worker*/) {
    auto const at = static_cast<std::size_t>(i);
    network_pass<B> pass(sizes, pass_kind::inference);
    shard_rows shard;
    shard.assign(plan, i, i + 1);
    auto const patches =
        detail::patches_of<T>(config, images.subspan(at * image_values, image_values));
    matrix_view<T const> const view(patches.data(), config.num_patches(), config.patch_values());
    std::vector<T> targets(static_cast<std::size_t>(shard.num_targets() * sizes.target_width));
    matrix_view<T> const target(targets.data(), shard.num_targets(), sizes.target_width);
    objective.target(config, view, plan.target(i), target);
    image_sums[at].loss = pass.forward(typename B::lane{}, weights, shard, view, target);
    for (T const value : targets)
      image_sums[at].zero += static_cast<double>(value) * static_cast<double>(value);
    auto const prediction = pass.prediction(shard);
    std::copy_n(prediction.data,
                prediction.size(),
                result.prediction.data() + offsets[at] * sizes.target_width);
  });
  for (auto const& sum : image_sums) {
    result.loss += sum.loss;
    result.baseline += sum.zero;
  }
  auto const count = static_cast<double>(result.targets);
  result.loss /= count;
  result.baseline /= count * static_cast<double>(sizes.target_width);
  return result;
}

/// Paints whole images: every present patch as predicted. Returns (B, H, W, C) in the units of
/// `images` (B, H, W, C), normalised; absent patches stay as they are.
template <Backend B, Objective O, class T = typename B::scalar>
std::vector<float> reconstruct_images(B const& backend,
                                      network_sizes const& sizes,
                                      network_weights<T const> const& weights,
                                      O const& objective,
                                      std::span<float const> images,
                                      mask_plan const& plan) {
  auto const& config = sizes.config;
  detail::check_images(config, images.size(), plan);
  auto const image_values = static_cast<std::size_t>(config.image.values());
  std::vector<float> painted(images.begin(), images.end());
  backend.threads().for_each(plan.images(), [&](index_t i, int /*worker*/) {
    auto const first = static_cast<std::size_t>(i) * image_values;
    network_pass<B> pass(sizes, pass_kind::inference);
    shard_rows shard;
    shard.assign(plan, i, i + 1, predicted_patches::all_present);
    auto patches = detail::patches_of<T>(config, images.subspan(first, image_values));
    matrix_view<T> const view(patches.data(), config.num_patches(), config.patch_values());
    std::vector<patch_index> const rows(shard.target_patches().begin(),
                                        shard.target_patches().end());
    auto const predicted = pass.reconstruct(typename B::lane{}, weights, shard, view);
    objective.to_pixels(matrix_view<T const>(view), rows, predicted);
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::ranges::copy(predicted.row(static_cast<index_t>(r)), view.row(rows[r]).begin());
    std::vector<float> const values(patches.begin(), patches.end());
    unpatchify(matrix_view<float const>(values.data(), view.rows, view.cols),
               config.image,
               config.patch,
               std::span(painted).subspan(first, image_values));
  });
  return painted;
}

}  // namespace mae
