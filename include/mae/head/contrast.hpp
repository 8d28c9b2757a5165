#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/info_nce.hpp>
#include <mae/head/projected_pass.hpp>
#include <mae/head/projector.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/head.hpp>

#include <cmath>
#include <string>
#include <string_view>

namespace mae {

/// The head that tells an image's views from other images (InfoNCE: van den Oord et al. 2018, arXiv
/// 1807.03748; with views that are all masked, and beside a painter: CAN, Mishra et al. 2022, arXiv
/// 2210.16870). Pooled tokens pass a projector; every view asks for its image among all images of
/// the step, as another view shows them. Needs training_options::views of as many.
struct contrast {
  template <class T, class Linear>
  using weights = projector::weights<T, Linear>;
  template <Lane L>
  using pass = projected_pass<L>;

  static constexpr std::string_view name = "contrast";
  static constexpr bool couples = true;

  index_t views = 2;
  double temperature = 0.2;
  projector projection = {};

  /// The head on top of an encoder of these sizes.
  contrast fitted(model_config const& config) const {
    contrast head = *this;
    head.projection.encoder_width = config.encoder.width;
    return head;
  }
  /// Throws config_error for fewer than two views, a temperature that is not positive, and a
  /// projector that cannot be.
  void require_valid() const {
    if (views < 2)
      throw config_error("contrast compares views of an image: it takes two at least, not " +
                         std::to_string(views));
    if (!(temperature > 0) || !std::isfinite(temperature))
      throw config_error("the temperature of contrast must be positive and finite, it is " +
                         decimal_text(temperature));
    projection.require_valid();
  }
  settings_list training_settings() const {
    return {{"pooling", name_of(projection.pool)},
            {"temperature", decimal_text(temperature)},
            {"views", std::to_string(views)}};
  }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    projection.walk(name, at, of...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return projection.outputs; }
  product_extents extents(shard_capacity const& room) const { return projection.extents(room); }

  /// z (S, E), the views of an image one after the other: see info_nce.
  template <class T>
  double couple(matrix_view<T const> z, matrix_view<T> z_grad) const {
    return info_nce(z, views, temperature, z_grad);
  }
};
static_assert(Head<contrast>);

}  // namespace mae
