#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/network.hpp>
#include <mae/model/prepared_weights.hpp>
#include <mae/model/shard.hpp>
#include <mae/model/staging.hpp>
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
  std::vector<T> prediction = {};  // (W, target width), image after image, ascending positions
};

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

struct image_losses {
  double loss = 0;
  double zero = 0;
};

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

/// One image of a batch on its way through the network.
template <Backend B>
class image_pass {
  using T = typename B::scalar;

 public:
  image_pass(B const& backend,
             network_sizes const& sizes,
             std::span<float const> images,
             mask_plan const& plan,
             index_t number,
             predicted_patches predicted)
      : sizes_(sizes),
        plan_(plan),
        number_(number),
        network_(backend, sizes, pass_kind::inference),
        total_(1) {
    auto const values = static_cast<std::size_t>(sizes.config.image.values());
    patches_ = patches_of<T>(sizes.config,
                             images.subspan(static_cast<std::size_t>(number) * values, values));
    shard_.assign(plan, number, number + 1, predicted);
  }

  /// Sums over targets: the losses of the prediction and of predicting zero. `prediction` (targets,
  /// target width), written.
  template <Objective O>
  image_losses predict(network_operands<typename B::lane> const& weights,
                       O const& objective,
                       T* prediction) {
    std::vector<T> values(static_cast<std::size_t>(shard_.num_targets() * sizes_.target_width));
    matrix_view<T> const targets(values.data(), shard_.num_targets(), sizes_.target_width);
    objective.target(sizes_.config, patches(), plan_.target(number_), targets);
    auto const& lane = network_.lane();
    network_.forward(weights,
                     staged_shard_.stage(lane, shard_),
                     staged_patches_.stage(lane, patches()),
                     staged_targets_.stage(lane, matrix_view<T const>(targets)),
                     total_.data());
    image_losses sums;
    lane.download(std::span<double const>(total_.span()), std::span(&sums.loss, 1));
    sums.zero = loss_of_zero(matrix_view<T const>(targets));
    copy_prediction(network_.prediction(shard_), prediction);
    return sums;
  }

  /// Puts what is predicted into `image` (H, W, C).
  template <Objective O>
  void paint(network_operands<typename B::lane> const& weights,
             O const& objective,
             std::span<float> image) {
    std::vector<patch_index> const rows(shard_.target_patches().begin(),
                                        shard_.target_patches().end());
    auto const& lane = network_.lane();
    auto const prediction = network_.reconstruct(
        weights, staged_shard_.stage(lane, shard_), staged_patches_.stage(lane, patches()));
    std::vector<T> copy(static_cast<std::size_t>(prediction.size()));
    copy_prediction(prediction, copy.data());
    matrix_view<T> const predicted(copy.data(), prediction.rows, prediction.cols);
    objective.to_pixels(patches(), rows, predicted);
    std::vector<float> painted(patches_.begin(), patches_.end());
    matrix_view<float> const view(painted.data(), patches().rows, patches().cols);
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::transform(predicted.row(static_cast<index_t>(r)).begin(),
                     predicted.row(static_cast<index_t>(r)).end(),
                     view.row(rows[r]).begin(),
                     [](T value) { return static_cast<float>(value); });
    unpatchify(view, sizes_.config.image, sizes_.config.patch, image);
  }

 private:
  void copy_prediction(matrix_view<T const> prediction, T* to) const {
    auto const size = static_cast<std::size_t>(prediction.size());
    network_.lane().download(std::span(prediction.data, size), std::span(to, size));
  }
  matrix_view<T const> patches() const {
    return {patches_.data(), sizes_.config.num_patches(), sizes_.config.patch_values()};
  }

  network_sizes const& sizes_;
  mask_plan const& plan_;
  index_t number_;
  network_pass<B> network_;
  shard_rows shard_;
  staged_shard<B> staged_shard_;
  staged_array<B, T> staged_patches_, staged_targets_;
  typename B::template buffer_of<double> total_;
  std::vector<T> patches_;  // (N, P)
};

}  // namespace detail

/// Masks a batch as the plan says and predicts its targets. `images` (B, H, W, C), normalised.
/// Throws config_error when plan and images do not agree, and where the plan has no targets: their
/// mean loss is no number.
template <Backend B, Objective O, class T = typename B::scalar>
forward_result<T> forward_images(B const& backend,
                                 network_sizes const& sizes,
                                 network_weights<T const> const& weights,
                                 O const& objective,
                                 std::span<float const> images,
                                 mask_plan const& plan) {
  detail::check_images(sizes.config, images.size(), plan);
  std::vector<index_t> offsets;
  plan.target_offsets(offsets);
  if (offsets.back() == 0)
    throw config_error("the mask plan has no patch to predict, so that there is no loss");
  forward_result<T> result{.targets = offsets.back(), .target_width = sizes.target_width};
  result.prediction.resize(static_cast<std::size_t>(result.targets * sizes.target_width));

  prepared_weights<B> prepared(pass_kind::inference);
  auto const& operands = prepared.update(sizes.config, weights, backend);
  std::vector<detail::image_losses> losses(static_cast<std::size_t>(plan.images()));
  backend.for_lanes(plan.images(), [&](index_t i, int /*worker*/) {
    auto const at = static_cast<std::size_t>(i);
    detail::image_pass<B> pass(backend, sizes, images, plan, i, predicted_patches::targets);
    losses[at] = pass.predict(
        operands, objective, result.prediction.data() + offsets[at] * sizes.target_width);
  });
  for (auto const& [loss, zero] : losses) {
    result.loss += loss / static_cast<double>(result.targets);
    result.baseline += zero / static_cast<double>(result.targets);
  }
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
  detail::check_images(sizes.config, images.size(), plan);
  auto const values = static_cast<std::size_t>(sizes.config.image.values());
  prepared_weights<B> prepared(pass_kind::inference);
  auto const& operands = prepared.update(sizes.config, weights, backend);
  std::vector<float> painted(images.size());
  backend.for_lanes(plan.images(), [&](index_t i, int /*worker*/) {
    detail::image_pass<B> pass(backend, sizes, images, plan, i, predicted_patches::all_present);
    pass.paint(operands,
               objective,
               std::span(painted).subspan(static_cast<std::size_t>(i) * values, values));
  });
  return painted;
}

}  // namespace mae
