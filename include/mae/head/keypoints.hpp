#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/head/token_map.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/heat_map_loss.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

template <Lane L>
class keypoints_pass;

/// The head that finds named points: a token_map with a heat map of each, whose softmax over its
/// cells is to be a Gaussian around the point. Its labels (images * J, 3) are those of
/// heat_map_loss.hpp; a point that is not visible, outside of the view, or in a patch that a mask
/// policy hides, is not learnt from. Hidden cells of the maps are zeros.
struct keypoints {
  template <class T, class Linear>
  using weights = token_map::weights<T, Linear>;
  template <Lane L>
  using pass = keypoints_pass<L>;

  static constexpr std::string_view name = "keypoints";
  static constexpr bool reads_annotations = true;

  index_t points = 0;                   // J
  mirror_partners partners = {};        // of each point in a mirror image; none: itself
  std::vector<std::string> names = {};  // of the points, for files; none: they have only numbers
  double sigma = 1.5;                   // of the Gaussian, in cells of the map
  map_decoder decoder = map_decoder::convolution;
  index_t upsampling = 0;  // see token_map; 0: at most 4
  // Of the encoder: see fitted.
  index_t encoder_width = 0;
  map_shape grid = {};

  /// Throws config_error for no point, no encoder, a sigma that no cell would see, and partners
  /// that are not each other's.
  void require_valid() const {
    if (points < 1) throw config_error("a head for keypoints needs a point at least");
    if (encoder_width < 1 || grid.size() < 1)
      throw config_error("a head for keypoints needs the sizes of its encoder");
    constexpr double least_sigma = 0.25;
    if (!(sigma >= least_sigma) || !std::isfinite(sigma))
      throw config_error("a heat map's sigma must be at least a quarter of a cell, it is " +
                         decimal_text(sigma));
    if (!names.empty() && std::ssize(names) != points)
      throw config_error(std::to_string(names.size()) + " names for " + std::to_string(points) +
                         " points");
    if (!partners.empty() && std::ssize(partners) != points)
      throw config_error(std::to_string(partners.size()) + " mirror partners for " +
                         std::to_string(points) + " points");
    for (index_t j = 0; j < std::ssize(partners); ++j)
      if (partner(j) < 0 || partner(j) >= points || partner(partner(j)) != j)
        throw config_error("point " + std::to_string(j) + " and its mirror partner are not " +
                           "each other's");
  }
  index_t partner(index_t point) const {
    return partners.empty() ? point : partners[static_cast<std::size_t>(point)];
  }
  token_map part() const {
    return {"keypoints.maps", encoder_width, points, grid, upsampling, decoder};
  }
  heat_map_target target() const { return {part().map(), sigma}; }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    part().walk(at, of...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images * points; }
  index_t label_width() const { return heat_map_label_width; }
  /// The head on top of an encoder of these sizes.
  keypoints fitted(model_config const& config) const {
    keypoints head = *this;
    head.encoder_width = config.encoder.width;
    head.grid = {config.grid_rows(), config.grid_columns()};
    head.upsampling = checked_upsampling(upsampling, config);
    return head;
  }
  /// Where an image's points are seen, in cells of the maps. Throws config_error for a dataset that
  /// is not annotated, and for an image with another number of points.
  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> to) const {
    if (image.said == nullptr)
      throw config_error("keypoints are learnt from points: the dataset must annotate its images");
    auto const& said = image.said->points;
    if (!said.empty() && std::ssize(said) != points)
      throw config_error("image " + std::to_string(image.index) + " has " +
                         std::to_string(said.size()) + " points, the head " +
                         std::to_string(points));
    for (index_t j = 0; j < points; ++j) {
      keypoint at;
      index_t const from = image.view.mirrored ? partner(j) : j;
      if (!said.empty())
        at = seen_in(image.view, part().map(), said[static_cast<std::size_t>(from)]);
      at.visible = at.visible && sees(image, patch_of(at));
      to(j, 0) = at.visible ? static_cast<T>(at.x) : T{0};
      to(j, 1) = at.visible ? static_cast<T>(at.y) : T{0};
      to(j, 2) = at.visible ? T{1} : T{0};
    }
  }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    index_t counted = 0;
    for (index_t row = 0; row < labels.rows; ++row) counted += labels(row, 2) > T{0} ? 1 : 0;
    return counted;
  }
  /// Of a map that is the same everywhere: the logarithm of the cells less the Gaussian's entropy.
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    auto const map = part().map();
    double total = 0;
    for (index_t row = 0; row < labels.rows; ++row) {
      if (!(labels(row, 2) > T{0})) continue;
      double const down = entropy(map.rows, static_cast<double>(labels(row, 1)));
      double const along = entropy(map.columns, static_cast<double>(labels(row, 0)));
      total += std::log(static_cast<double>(map.size())) - down - along;
    }
    return total;
  }
  settings_list settings() const {
    return {{"points", std::to_string(points)},
            {"names", csv_line(names)},
            {"decoder", name_of(decoder)},
            {"upsampling", std::to_string(upsampling)}};
  }
  settings_list training_settings() const { return {{"sigma", decimal_text(sigma)}}; }
  product_extents extents(shard_capacity const& room) const { return part().extents(room); }

 private:
  /// The patch that a point, in cells of the maps, lies in.
  index_t patch_of(keypoint const& point) const {
    auto const down = static_cast<index_t>(point.y) / upsampling;
    auto const along = static_cast<index_t>(point.x) / upsampling;
    return std::min(down, grid.rows - 1) * grid.columns + std::min(along, grid.columns - 1);
  }
  /// Of the Gaussian along one axis, which is a product of two.
  double entropy(index_t cells, double centre) const {
    double mass = 0;
    double sum = 0;
    for (index_t i = 0; i < cells; ++i) {
      double const away = static_cast<double>(i) + 0.5 - centre;
      double const exponent = -away * away / (2 * sigma * sigma);
      mass += std::exp(exponent);
      sum += std::exp(exponent) * exponent;
    }
    return std::log(mass) - sum / mass;
  }
};
static_assert(Head<keypoints>);

/// The same on a lane. B images, J points.
template <Lane L>
class keypoints_pass {
  using T = scalar_of<L>;

 public:
  static keypoints_pass carve(carver<T>& memory,
                              keypoints const& head,
                              shard_capacity const& room,
                              pass_kind kind) {
    keypoints_pass pass;
    pass.target_ = head.target();
    pass.part_ = token_map_pass<L>::carve(memory, head.part(), room, kind);
    return pass;
  }

  /// The heat maps before a softmax (B * cells, J), valid until the backward pass, which overwrites
  /// them.
  matrix_view<T> predict(head_input<L> const& in, linear_operands<L> const& weights) const {
    return part_.forward(in, weights);
  }

  /// losses (B * J): each point's divergence.
  void forward(head_input<L> const& in,
               linear_operands<L> const& weights,
               std::span<T> losses) const {
    heat_map_loss_forward(in.lane, target_, predict(in, weights), in.labels, losses);
  }

  /// Writes the tokens' gradient, unless there is no matrix for it, and adds those of the weights.
  void backward(head_input<L> const& in,
                linear_operands<L> const& weights,
                matrix_view<T> tokens_grad,
                linear_weights<T> const& weights_grad) const {
    auto const maps = part_.maps(in.shard);
    heat_map_loss_backward(in.lane, target_, maps, in.labels, maps);
    part_.backward(in, weights, maps, tokens_grad, weights_grad);
  }

 private:
  heat_map_target target_;
  token_map_pass<L> part_;
};

}  // namespace mae
