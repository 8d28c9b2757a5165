#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/contrast_pass.hpp>
#include <mae/head/info_nce.hpp>
#include <mae/head/key_questions.hpp>
#include <mae/head/projection_layers.hpp>
#include <mae/head/projector.hpp>
#include <mae/head/unit_rows.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/coupled_step.hpp>
#include <mae/network/head.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

namespace mae {

/// The head that tells an image's views from other images (InfoNCE: van den Oord et al. 2018, arXiv
/// 1807.03748; with views that are all masked, and beside a painter: CAN, Mishra et al. 2022, arXiv
/// 2210.16870). Pooled tokens pass a projector; every view asks for its image among all images of
/// the step, as another view shows them. Needs training_options::views of as many.
///
/// With a predictor, moving keys, or both, questions and answers differ, and answers ("keys") have
/// no gradient, as in MoCo v3 and BYOL: see info_nce_of_keys. Moving keys are what the moving
/// average of encoder and projector says of the same views, cropped and masked alike, of whole
/// paths: the update rule must keep one (with_average).
struct contrast {
  template <class T, class Linear>
  using weights = contrast_weights<T, Linear>;
  template <Lane L>
  using pass = contrast_pass<L>;

  static constexpr std::string_view name = "contrast";
  static constexpr bool couples = true;

  index_t views = 2;
  double temperature = 0.2;
  projector projection = {};
  /// The hidden values of layers that make questions of the projector's outputs; 0: there are none.
  index_t predictor = 0;
  bool moving_keys = false;
  /// How many keys of earlier steps, of each image's first view, are answers to avoid; they must
  /// be moving, and no more than the images of the dataset.
  index_t queue = 0;

  /// The head on top of an encoder of these sizes.
  contrast fitted(model_config const& config) const {
    contrast head = *this;
    head.projection.encoder_width = config.encoder.width;
    return head;
  }
  /// Throws config_error for fewer than two views, a temperature that is not positive, layers that
  /// cannot be, and a queue of keys that do not move.
  void require_valid() const {
    if (views < 2)
      throw config_error("contrast compares views of an image: it takes two at least, not " +
                         std::to_string(views));
    if (!(temperature > 0) || !std::isfinite(temperature))
      throw config_error("the temperature of contrast must be positive and finite, it is " +
                         decimal_text(temperature));
    projection.require_valid();
    if (predictor < 0)
      throw config_error("contrast's predictor needs values, or 0 where there is none, not " +
                         std::to_string(predictor));
    if (queue < 0)
      throw config_error("contrast's queue keeps a number of keys, not " + std::to_string(queue));
    if (queue > 0 && !moving_keys)
      throw config_error(
          "contrast's queue needs moving keys: those of earlier steps are comparable only where "
          "what makes them changes slowly");
  }
  settings_list training_settings() const {
    return {{"pooling", name_of(projection.pool)},
            {"temperature", decimal_text(temperature)},
            {"views", std::to_string(views)},
            {"predictor", std::to_string(predictor)},
            {"keys", moving_keys ? "moving" : "own"},
            {"queue", std::to_string(queue)}};
  }

  /// The predictor.
  projection_layers prediction() const {
    return {projection.outputs, predictor, projection.outputs};
  }
  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    projection.walk(name, at, of.projection...);
    if (predictor > 0) prediction().walk("contrast.predictor", at, of.prediction...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return (predictor > 0 ? 2 : 1) * projection.outputs; }
  product_extents extents(shard_capacity const& room) const {
    auto const most = projection.extents(room);
    return predictor > 0 ? most.larger(prediction().extents(room.images)) : most;
  }
  bool asks_average() const { return moving_keys; }
  index_t key_width() const { return projection.outputs; }

  /// z (S, label_width()), the views of an image one after the other: see info_nce and
  /// info_nce_of_keys.
  template <class T>
  double couple(matrix_view<T const> z, matrix_view<T> z_grad, coupled_step<T> const& step) const {
    if (!moving_keys && predictor == 0) return info_nce(z, views, temperature, z_grad);
    index_t const outputs = projection.outputs;
    std::fill_n(z_grad.data, z_grad.size(), T{0});
    return info_nce_of_keys(z.middle_cols(0, outputs),
                            keys_of(moving_keys ? step.averaged : z),
                            views,
                            temperature,
                            step.images,
                            queue > 0 ? step.earlier : nullptr,
                            z_grad.middle_cols(0, outputs));
  }

  /// Adds the keys of a step that is done, one of each image in their order.
  template <class T>
  void remember(coupled_step<T> const& step, key_queue& earlier) const {
    detail::unit_rows const keys(keys_of(step.averaged));
    for (std::size_t i = 0; i < step.images.size(); ++i)
      earlier.add(keys.row(static_cast<index_t>(i) * views), step.images[i]);
    earlier.keep_last(queue);
  }

 private:
  /// The last columns.
  template <class T>
  matrix_view<T const> keys_of(matrix_view<T const> rows) const {
    return rows.middle_cols(rows.cols - projection.outputs, projection.outputs);
  }
};
static_assert(Head<contrast>);

}  // namespace mae
