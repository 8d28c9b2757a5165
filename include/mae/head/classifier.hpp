#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/pooled_linear.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/cross_entropy.hpp>
#include <mae/op/pooling.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

template <Lane L>
class classifier_pass;

/// The head that tells an image's class (the official code's fine-tuning head): tokens are pooled,
/// normalised if so asked, and a linear layer gives each class a score. Its labels (images, 3) are
/// classes' numbers, or ignored_label, and of mixed images the partner's with its share. Tensors
/// have timm's names: fc_norm, head.
struct classifier {
  template <class T, class Linear>
  using weights = pooled_linear::weights<T, Linear>;
  template <Lane L>
  using pass = classifier_pass<L>;

  static constexpr std::string_view name = "classifier";
  static constexpr bool learns_mixtures = true;

  index_t encoder_width = 0;  // D
  index_t classes = 0;        // K
  pooling pool = pooling::mean;
  bool normalises = false;                    // what was pooled
  double smoothing = 0;                       // the share of a label that all classes get alike
  std::vector<std::string> class_names = {};  // for files; none: classes have only numbers
  /// Of the layer's weights at first, which are normal: the official fine-tuning's, whose bounds of
  /// +-2 none reaches. 0: they begin as the network's other linear layers.
  double start_deviation = 2e-5;

  /// Throws config_error for fewer than two classes, no encoder, and a smoothing outside [0, 1).
  void require_valid() const {
    if (classes < 2)
      throw config_error("a classifier needs at least two classes, not " + std::to_string(classes));
    if (!class_names.empty() && std::ssize(class_names) != classes)
      throw config_error(std::to_string(class_names.size()) + " names for " +
                         std::to_string(classes) + " classes");
    if (encoder_width < 1) throw config_error("a classifier needs the width of its encoder");
    if (!(smoothing >= 0 && smoothing < 1))
      throw config_error("label smoothing must be in [0, 1), it is " + decimal_text(smoothing));
    if (!(start_deviation >= 0) || !std::isfinite(start_deviation))
      throw config_error(
          "the deviation of a classifier's first weights must be finite and not "
          "negative, it is " +
          decimal_text(start_deviation));
  }
  pooled_linear part() const { return {"head", encoder_width, classes, pool, normalises}; }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    part().walk(at, of...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return 3; }
  /// The head on top of an encoder of these sizes.
  classifier fitted(model_config const& config) const {
    classifier head = *this;
    head.encoder_width = config.encoder.width;
    return head;
  }
  /// The class of an image, a row; ignored_label where the dataset says none, of it or of what it
  /// is mixed with. Throws config_error for a class beyond those of the head.
  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> to) const {
    if (image.label >= classes)
      throw config_error("image " + std::to_string(image.index) + " is of class " +
                         std::to_string(image.label) + ", but the classifier has only " +
                         std::to_string(classes) + " classes");
    bool const is_mixed = image.own_share < 1;
    if (is_mixed && image.partner_label >= classes)
      throw config_error("an image is of class " + std::to_string(image.partner_label) +
                         ", but the classifier has only " + std::to_string(classes) + " classes");
    index_t const partner = is_mixed ? image.partner_label : image.label;
    to(0, 0) =
        static_cast<T>(image.label < 0 || partner < 0 ? index_t{ignored_label} : image.label);
    to(0, 1) = static_cast<T>(partner);
    to(0, 2) = static_cast<T>(1 - image.own_share);
  }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    index_t counted = 0;
    for (index_t row = 0; row < labels.rows; ++row) counted += labels(row, 0) >= T{0} ? 1 : 0;
    return counted;
  }
  /// Every class is as likely as any other.
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    return static_cast<double>(num_counted(labels)) * std::log(static_cast<double>(classes));
  }
  settings_list settings() const {
    settings_list all{{"classes", std::to_string(classes)},
                      {"pooling", name_of(pool)},
                      {"norm", normalises ? "yes" : "no"}};
    if (!class_names.empty()) all.push_back({"class_names", csv_line(class_names)});
    return all;
  }
  settings_list training_settings() const { return {{"smoothing", decimal_text(smoothing)}}; }
  product_extents extents(shard_capacity const& room) const { return part().extents(room); }
};
static_assert(Head<classifier>);

/// A classifier on a lane. B images of a shard, K classes.
template <Lane L>
class classifier_pass {
  using T = scalar_of<L>;

 public:
  static classifier_pass carve(carver<T>& memory,
                               classifier const& head,
                               shard_capacity const& room,
                               pass_kind kind) {
    classifier_pass pass;
    pass.part_ = pooled_linear_pass<L>::carve(memory, head.part(), room, kind);
    pass.smoothing_ = head.smoothing;
    return pass;
  }

  /// The classes' scores before a softmax (B, K), valid until the backward pass, which overwrites
  /// them.
  template <class Operands>
  matrix_view<T> predict(head_input<L> const& in, Operands const& weights) const {
    return part_.forward(in, weights);
  }

  /// losses (B): each image's cross entropy.
  template <class Operands>
  void forward(head_input<L> const& in, Operands const& weights, std::span<T> losses) const {
    cross_entropy_forward(in.lane, predict(in, weights), in.labels, smoothing_, losses);
  }

  /// Writes the tokens' gradient, unless there is no matrix for it, and adds those of the weights.
  template <class Operands, class Gradients>
  void backward(head_input<L> const& in,
                Operands const& weights,
                matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    auto const logits = part_.outputs(in.shard);
    cross_entropy_backward(in.lane, logits, in.labels, smoothing_, logits);
    part_.backward(in, weights, logits, tokens_grad, weights_grad);
  }

 private:
  pooled_linear_pass<L> part_;
  double smoothing_ = 0;
};

}  // namespace mae
