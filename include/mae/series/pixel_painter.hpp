#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series/column_passes.hpp>

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
  /// Where it is there: some columns alone of pictures that are drawn meanwhile, in less time and
  /// memory.
  std::function<void(picture_stream const& stream)> paint_columns = {};
  /// Of a model that has learnt quantiles their levels, which rise, 0.5 among them; it paints the
  /// median.
  std::vector<double> levels = {};
  /// And all of them: (levels, B, H, W, C), of the patches that are not seen.
  std::function<std::vector<float>(std::span<float const> images, mask_plan const& plan)>
      paint_levels = {};
};

/// An autoencoder as a painter, which refers to it. Its decoder must predict pixels as they are:
/// one that predicts patches normalised by their own mean and deviation cannot say how high or wide
/// a hidden patch is. Throws config_error for one whose tokens are told levels of density.
template <class Model>
pixel_painter painter_of(Model const& model) {
  static_assert(!std::is_same_v<typename Model::objective_type, normalised_pixels>,
                "mae: a forecast needs a model that predicts pixels as they are (mae::pixels)");
  if (model.sizes().levels.is_on())
    throw config_error(
        "a forecast needs a model whose tokens are told no levels of density (density_token): "
        "those of pictures are not those of series");
  pixel_painter painter{model.sizes().config,
                        [&model](std::span<float const> images, mask_plan const& plan) {
                          return model.reconstruct(images, plan);
                        }};
  if constexpr (std::is_same_v<typename Model::objective_type, pixels> &&
                detail::paints_columns<Model>())
    painter.paint_columns = [&model](picture_stream const& stream) {
      detail::paint_columns(model, stream);
    };
  return painter;
}
template <class Model>
pixel_painter painter_of(Model const&& must_outlive_the_painter) = delete;

}  // namespace mae
