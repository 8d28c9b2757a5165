#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/head/token_map.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/cross_entropy.hpp>
#include <mae/op/token_maps.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace mae {

template <Lane L>
class segmenter_pass;

/// The head that tells each pixel's class: a token_map of scores, interpolated to the image's
/// pixels. Its labels (images * H W, 1), row by row, are classes' numbers, or ignored_label; its
/// loss is a mean over pixels. An image without a mask is not learnt from, and of one whose patches
/// a mask policy hides only the pixels that the encoder sees: hidden cells of the map are zeros, as
/// what lies beyond the image is to the convolution.
struct segmenter {
  template <class T, class Linear>
  using weights = token_map::weights<T, Linear>;
  template <Lane L>
  using pass = segmenter_pass<L>;

  static constexpr std::string_view name = "segmenter";
  static constexpr bool reads_annotations = true;

  index_t classes = 0;  // K, the background one of them
  map_decoder decoder = map_decoder::convolution;
  index_t upsampling = 0;  // see token_map; 0: of a convolution at most 4
  double smoothing = 0;    // the share of a label that all classes get alike
  // Of the encoder: see fitted.
  index_t encoder_width = 0;
  map_shape grid = {};
  map_shape pixels = {};

  /// Throws config_error for fewer than two classes or more than a mask can tell, no encoder, and a
  /// smoothing outside [0, 1).
  void require_valid() const {
    if (classes < 2 || classes > unlabelled_pixel)
      throw config_error("a segmenter needs 2 to 255 classes, not " + std::to_string(classes));
    if (encoder_width < 1 || grid.size() < 1)
      throw config_error("a segmenter needs the sizes of its encoder");
    if (!(smoothing >= 0 && smoothing < 1))
      throw config_error("label smoothing must be in [0, 1), it is " + decimal_text(smoothing));
  }
  token_map part() const {
    return {"segmenter.scores", encoder_width, classes, grid, upsampling, decoder};
  }
  /// From the token map's scores to the pixels'.
  map_resize to_pixels() const { return {part().map(), pixels, 0}; }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    part().walk(at, of...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images * pixels.size(); }
  index_t label_width() const { return 1; }
  /// The head on top of an encoder of these sizes. A linear map is interpolated once, to the
  /// pixels.
  segmenter fitted(model_config const& config) const {
    segmenter head = *this;
    head.encoder_width = config.encoder.width;
    head.grid = {config.grid_rows(), config.grid_columns()};
    head.pixels = {config.image.height, config.image.width};
    bool const once = decoder == map_decoder::linear && upsampling == 0;
    head.upsampling = once ? 1 : checked_upsampling(upsampling, config);
    return head;
  }
  /// The classes of an image's pixels, a row each, as the view shows them. Throws config_error for
  /// a dataset that is not annotated, and for a class beyond those of the head.
  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> to) const {
    if (image.said == nullptr)
      throw config_error("a segmenter learns from masks: its dataset must annotate its images");
    auto const& mask = image.said->mask;
    if (!mask.empty() && std::ssize(mask) != pixels.size())
      throw config_error("the mask of image " + std::to_string(image.index) + " has " +
                         std::to_string(mask.size()) + " pixels, the image " +
                         std::to_string(pixels.size()));
    for (index_t row = 0; row < pixels.rows; ++row)
      for (index_t column = 0; column < pixels.columns; ++column) {
        index_t const at = row * pixels.columns + column;
        index_t const from = nearest_pixel(image.view, pixels, pixels.columns, row, column);
        bool const is_known = !mask.empty() && sees(image, patch_of(row, column));
        to.data[at] = is_known ? label_of<T>(mask[static_cast<std::size_t>(from)], image.index)
                               : T{ignored_label};
      }
  }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    return std::count_if(
        labels.data, labels.data + labels.rows, [](T label) { return label >= T{0}; });
  }
  /// Every class is as likely as any other.
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    return static_cast<double>(num_counted(labels)) * std::log(static_cast<double>(classes));
  }
  settings_list settings() const {
    return {{"classes", std::to_string(classes)},
            {"decoder", name_of(decoder)},
            {"upsampling", std::to_string(upsampling)}};
  }
  settings_list training_settings() const { return {{"smoothing", decimal_text(smoothing)}}; }
  product_extents extents(shard_capacity const& room) const { return part().extents(room); }

 private:
  /// The patch that a pixel lies in.
  index_t patch_of(index_t row, index_t column) const {
    return row * grid.rows / pixels.rows * grid.columns + column * grid.columns / pixels.columns;
  }
  template <class T>
  T label_of(std::uint8_t value, index_t image) const {
    if (value == unlabelled_pixel) return T{ignored_label};
    if (value >= classes)
      throw config_error("the mask of image " + std::to_string(image) + " has the value " +
                         std::to_string(value) + ", but the segmenter has only " +
                         std::to_string(classes) + " classes (255 is for pixels of none)");
    return static_cast<T>(value);
  }
};
static_assert(Head<segmenter>);

/// A segmenter on a lane. B images, K classes.
template <Lane L>
class segmenter_pass {
  using T = scalar_of<L>;

 public:
  static segmenter_pass carve(carver<T>& memory,
                              segmenter const& head,
                              shard_capacity const& room,
                              pass_kind kind) {
    segmenter_pass pass;
    pass.head_ = head;
    pass.part_ = token_map_pass<L>::carve(memory, head.part(), room, kind);
    if (pass.interpolates()) pass.scores_ = memory.matrix(head.label_rows(room), head.classes);
    return pass;
  }

  /// The classes' scores before a softmax, of every pixel (B * H W, K), valid until the backward
  /// pass, which overwrites them.
  matrix_view<T> predict(head_input<L> const& in, linear_operands<L> const& weights) const {
    auto const maps = part_.forward(in, weights);
    if (interpolates()) resample_maps_forward(in.lane, head_.to_pixels(), maps, scores(in.shard));
    return scores(in.shard);
  }

  /// losses (B * H W): each pixel's cross entropy.
  void forward(head_input<L> const& in,
               linear_operands<L> const& weights,
               std::span<T> losses) const {
    cross_entropy_forward(in.lane, predict(in, weights), in.labels, head_.smoothing, losses);
  }

  /// Writes the tokens' gradient, unless there is no matrix for it, and adds those of the weights.
  void backward(head_input<L> const& in,
                linear_operands<L> const& weights,
                matrix_view<T> tokens_grad,
                linear_weights<T> const& weights_grad) const {
    auto const grad = scores(in.shard);
    cross_entropy_backward(in.lane, grad, in.labels, head_.smoothing, grad);
    auto const maps = part_.maps(in.shard);
    if (interpolates()) resample_maps_backward(in.lane, head_.to_pixels(), grad, maps);
    part_.backward(in, weights, maps, tokens_grad, weights_grad);
  }

 private:
  /// Whether the token map has fewer cells than the image has pixels.
  bool interpolates() const { return !(head_.part().map() == head_.pixels); }
  matrix_view<T> scores(shard_view const& shard) const {
    return interpolates() ? scores_.middle_rows(0, shard.images * head_.pixels.size())
                          : part_.maps(shard);
  }

  segmenter head_;
  token_map_pass<L> part_;
  matrix_view<T> scores_;  // (B * H W, K)
};

}  // namespace mae
