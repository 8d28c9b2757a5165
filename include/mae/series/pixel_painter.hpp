#pragma once

#include <mae/core/config.hpp>
#include <mae/mask/plan.hpp>
#include <mae/objective/pixels.hpp>

#include <functional>
#include <span>
#include <type_traits>
#include <vector>

namespace mae {

/// Any model that paints pictures: all that the series' functions know of one, so that they are
/// compiled once.
struct pixel_painter {
  model_config sizes;
  /// `images` (B, H, W, C) and which of their patches are seen; returns (B, H, W, C), every present
  /// patch as predicted.
  std::function<std::vector<float>(std::span<float const> images, mask_plan const& plan)> paint;
  /// Of a model that has learnt quantiles their levels, which rise, 0.5 among them; it paints the
  /// median.
  std::vector<double> levels = {};
  /// And all of them: (levels, B, H, W, C), of the patches that are not seen.
  std::function<std::vector<float>(std::span<float const> images, mask_plan const& plan)>
      paint_levels = {};
};

/// An autoencoder as a painter, which refers to it. Its decoder must predict pixels as they are:
/// one that predicts patches normalised by their own mean and deviation cannot say how high or wide
/// a hidden patch is.
template <class Model>
pixel_painter painter_of(Model const& model) {
  static_assert(!std::is_same_v<typename Model::objective_type, normalised_pixels>,
                "mae: a forecast needs a model that predicts pixels as they are (mae::pixels)");
  return {model.sizes().config, [&model](std::span<float const> images, mask_plan const& plan) {
            return model.reconstruct(images, plan);
          }};
}
template <class Model>
pixel_painter painter_of(Model const&& must_outlive_the_painter) = delete;

}  // namespace mae
