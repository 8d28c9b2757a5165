#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/objective/objective.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
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

/// A batch's images on their way through the network of a painter, one after the other on each
/// worker.
template <Backend B, class Painter>
class image_passes {
  using T = typename B::scalar;
  using network = network_pass<B, Painter>;

 public:
  image_passes(B const& backend,
               network_parts<Painter> const& parts,
               std::span<float const> images,
               mask_plan const& plan)
      : parts_(parts),
        images_(images),
        plan_(plan),
        passes_(backend.num_workers(), backend, parts, pass_kind::inference) {}

  /// Sums over the targets of image `number`: the losses of the prediction and of predicting zero.
  /// `prediction` (targets, target width), written.
  template <Objective O>
  image_losses predict(typename network::operands_type const& weights,
                       O const& objective,
                       index_t number,
                       int worker,
                       T* prediction) const {
    auto const values = patches_of<T>(parts_.config, image(number));
    auto const patches = matrix_of(values);
    auto const wanted = plan_.target(number);
    index_t const count = std::ssize(wanted);
    std::vector<T> asked(static_cast<std::size_t>(count * target_width()));
    matrix_view<T> const targets(asked.data(), count, target_width());
    objective.target(parts_.config, patches, wanted, targets);
    auto& pass = passes_[worker];
    auto const in = pass.bring(plan_, number, number + 1, patches, {targets});
    image_losses const sums{
        .loss = pass.losses(weights, in, 1)[0],
        .zero = std::get<0>(parts_.heads).loss_of_zero(matrix_view<T const>(targets))};
    copy_prediction(pass, pass.network().template head<0>().prediction(in.shard), prediction);
    return sums;
  }

  /// Puts what is predicted for image `number` into `painting` (H, W, C).
  template <Objective O>
  void paint(typename network::operands_type const& weights,
             O const& objective,
             index_t number,
             int worker,
             std::span<float> painting) const {
    auto const values = patches_of<T>(parts_.config, image(number));
    auto const patches = matrix_of(values);
    auto& pass = passes_[worker];
    auto const in = pass.bring(plan_, number, number + 1, patches, {}, {}, Painter::paints);
    pass.network().encode(weights.encoder, in.shard, in.patches);
    auto const prediction = pass.network().template head<0>().predict(
        pass.network().input_of(in.shard), std::get<0>(weights.heads));
    std::vector<T> copy(static_cast<std::size_t>(prediction.size()));
    copy_prediction(pass, prediction, copy.data());
    matrix_view<T const> const predicted(copy.data(), prediction.rows, prediction.cols);
    std::vector<patch_index> const rows(pass.rows().target_patches().begin(),
                                        pass.rows().target_patches().end());
    std::vector<T> pixels(rows.size() * static_cast<std::size_t>(patches.cols));
    matrix_view<T> const shown(pixels.data(), std::ssize(rows), patches.cols);
    objective.to_pixels(patches, rows, predicted, shown);
    std::vector<float> painted(values.begin(), values.end());
    matrix_view<float> const view(painted.data(), patches.rows, patches.cols);
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::transform(shown.row(static_cast<index_t>(r)).begin(),
                     shown.row(static_cast<index_t>(r)).end(),
                     view.row(rows[r]).begin(),
                     [](T value) { return static_cast<float>(value); });
    unpatchify(view, parts_.config.image, parts_.config.patch, painting);
  }

 private:
  static void copy_prediction(worker_pass<network> const& pass,
                              matrix_view<T const> prediction,
                              T* to) {
    auto const size = static_cast<std::size_t>(prediction.size());
    pass.lane().download(std::span(prediction.data, size), std::span(to, size));
  }
  index_t target_width() const { return std::get<0>(parts_.heads).label_width(); }
  std::span<float const> image(index_t number) const {
    auto const values = static_cast<std::size_t>(parts_.config.image.values());
    return images_.subspan(static_cast<std::size_t>(number) * values, values);
  }
  /// An image's patches (N, P).
  matrix_view<T const> matrix_of(std::vector<T> const& values) const {
    return {values.data(), parts_.config.num_patches(), parts_.config.patch_values()};
  }

  network_parts<Painter> const& parts_;
  std::span<float const> images_;
  mask_plan const& plan_;
  worker_passes<network> passes_;
};

}  // namespace detail

/// Masks a batch as the plan says and predicts its targets. `images` (B, H, W, C), normalised.
/// Throws config_error when plan and images do not agree, and where the plan has no targets: their
/// mean loss is no number.
template <Backend B, Objective O, class Painter, class T = typename B::scalar>
forward_result<T> forward_images(B const& backend,
                                 network_parts<Painter> const& parts,
                                 network_weights<T const, Painter> const& weights,
                                 O const& objective,
                                 std::span<float const> images,
                                 mask_plan const& plan) {
  detail::check_images(parts.config, images.size(), plan);
  std::vector<index_t> offsets;
  plan.target_offsets(offsets);
  if (offsets.back() == 0)
    throw config_error("the mask plan has no patch to predict, so that there is no loss");
  index_t const target_width = std::get<0>(parts.heads).label_width();
  forward_result<T> result{.targets = offsets.back(), .target_width = target_width};
  result.prediction.resize(static_cast<std::size_t>(result.targets * target_width));

  prepared_weights<B, Painter> prepared(pass_kind::inference);
  auto const& operands = prepared.update(parts, weights, backend);
  std::vector<detail::image_losses> losses(static_cast<std::size_t>(plan.images()));
  detail::image_passes<B, Painter> const passes(backend, parts, images, plan);
  backend.for_each(plan.images(), [&](index_t i, int worker) {
    auto const at = static_cast<std::size_t>(i);
    losses[at] = passes.predict(
        operands, objective, i, worker, result.prediction.data() + offsets[at] * target_width);
  });
  for (auto const& [loss, zero] : losses) {
    result.loss += loss / static_cast<double>(result.targets);
    result.baseline += zero / static_cast<double>(result.targets);
  }
  return result;
}

/// Paints whole images: what a painter paints, every present patch or the hidden ones, as
/// predicted. Returns (B, H, W, C) in the units of `images` (B, H, W, C), normalised; other patches
/// stay as they are.
template <Backend B, Objective O, class Painter, class T = typename B::scalar>
std::vector<float> reconstruct_images(B const& backend,
                                      network_parts<Painter> const& parts,
                                      network_weights<T const, Painter> const& weights,
                                      O const& objective,
                                      std::span<float const> images,
                                      mask_plan const& plan) {
  detail::check_images(parts.config, images.size(), plan);
  auto const values = static_cast<std::size_t>(parts.config.image.values());
  prepared_weights<B, Painter> prepared(pass_kind::inference);
  auto const& operands = prepared.update(parts, weights, backend);
  std::vector<float> painted(images.size());
  detail::image_passes<B, Painter> const passes(backend, parts, images, plan);
  backend.for_each(plan.images(), [&](index_t i, int worker) {
    passes.paint(operands,
                 objective,
                 i,
                 worker,
                 std::span(painted).subspan(static_cast<std::size_t>(i) * values, values));
  });
  return painted;
}

}  // namespace mae
