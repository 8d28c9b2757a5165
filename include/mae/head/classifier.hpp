#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/op/cross_entropy.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/pooling.hpp>
#include <mae/op/set_zero.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace mae {

template <Lane L>
class classifier_pass;

/// The head that tells an image's class (the official code's fine-tuning head): tokens are pooled,
/// normalised if so asked, and a linear layer gives each class a score. Its labels (images, 1) are
/// classes' numbers, or ignored_label. Tensors have timm's names: fc_norm, head.
struct classifier {
  template <class T, class Linear>
  struct weights {
    norm_weights<T> norm;  // of what was pooled
    Linear layer;          // (K, D or 2 D)
  };
  template <Lane L>
  using pass = classifier_pass<L>;

  static constexpr std::string_view name = "classifier";

  index_t encoder_width = 0;  // D
  index_t classes = 0;        // K
  pooling pool = pooling::mean;
  bool normalises = false;  // what was pooled
  double smoothing = 0;     // the share of a label that all classes get alike

  /// Throws config_error for fewer than two classes, and a smoothing outside [0, 1).
  void require_valid() const {
    if (classes < 2)
      throw config_error("a classifier needs at least two classes, not " + std::to_string(classes));
    if (!(smoothing >= 0 && smoothing < 1))
      throw config_error("label smoothing must be in [0, 1), it is " + decimal_text(smoothing));
  }
  index_t feature_width() const { return pooled_width(pool, encoder_width); }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    if (normalises) at.norm("fc_norm", feature_width(), of.norm...);
    at.linear("head", classes, feature_width(), of.layer...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return 1; }
  product_extents extents(shard_capacity const& room) const {
    return {.width = std::max(classes, feature_width()), .rows = room.images};
  }
  template <Lane L>
  index_t scratch_size(shard_capacity const& /*room*/, int /*members*/) const {
    return 0;
  }
};
static_assert(Head<classifier>);

/// A classifier on a lane. B images of a shard, F values of a feature, K classes.
template <Lane L>
class classifier_pass {
  using T = scalar_of<L>;
  using O = operand_of<L>;

 public:
  static classifier_pass carve(carver<T>& memory,
                               classifier const& head,
                               shard_capacity const& room,
                               pass_kind kind) {
    index_t const width = head.feature_width();
    classifier_pass pass;
    pass.head_ = head;
    pass.pooled_ = memory.matrix(room.images, width);
    pass.features_ = memory.template matrix_of<O>(room.images, width);
    pass.statistics_ = memory.matrix(room.images, 2);
    pass.logits_ = memory.matrix(room.images, head.classes);
    pass.losses_ = memory.vector(room.images);
    if (kind == pass_kind::inference) return pass;
    pass.logits_grad_ = memory.template matrix_of<O>(room.images, head.classes);
    pass.feature_grad_ = memory.matrix(room.images, width);
    pass.pooled_grad_ = memory.matrix(room.images, width);
    return pass;
  }

  /// The classes' scores before a softmax (B, K), valid until the backward pass, which overwrites
  /// them.
  template <class Operands>
  matrix_view<T> predict(head_input<L> const& in, Operands const& weights) const {
    auto const pooled = pooled_.middle_rows(0, in.shard.images);
    auto const logits = logits_.middle_rows(0, in.shard.images);
    pool_tokens_forward(in.lane, in.tokens, in.shard.encoder_offsets, head_.pool, pooled);
    linear_forward(in.lane, features(in, weights), weights.layer, logits);
    return logits;
  }

  /// Adds to *total the sum over the shard's images of the cross entropy.
  template <class Operands>
  void forward(head_input<L> const& in, Operands const& weights, double* total) const {
    auto const logits = predict(in, weights);
    auto const losses = losses_.first(static_cast<std::size_t>(logits.rows));
    cross_entropy_forward(in.lane, logits, in.labels, head_.smoothing, losses);
    add_losses(in.lane, losses, total);
  }

  /// Writes the tokens' gradient, and adds those of the weights.
  template <class Operands, class Gradients>
  void backward(head_input<L> const& in,
                Operands const& weights,
                matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    index_t const images = in.shard.images;
    auto const logits = logits_.middle_rows(0, images);
    auto const feature_grad = feature_grad_.middle_rows(0, images);
    cross_entropy_backward(in.lane, logits, in.labels, head_.smoothing, logits);
    linear_backward(in.lane,
                    operands_of_features(images),
                    weights.layer,
                    as_operands(in.lane, logits, logits_grad_),
                    feature_grad,
                    weights_grad.layer);
    auto grad = feature_grad;
    if (head_.normalises) {
      grad = pooled_grad_.middle_rows(0, images);
      set_zero(in.lane, grad);
      layer_norm_backward(in.lane,
                          pooled_.middle_rows(0, images),
                          weights.norm,
                          statistics_.middle_rows(0, images),
                          feature_grad,
                          grad,
                          weights_grad.norm);
    }
    pool_tokens_backward(in.lane, grad, in.shard.encoder_offsets, head_.pool, tokens_grad);
  }

 private:
  /// What was pooled, normalised if so asked, as operands.
  template <class Operands>
  matrix_view<O const> features(head_input<L> const& in, Operands const& weights) const {
    index_t const images = in.shard.images;
    auto const pooled = pooled_.middle_rows(0, images);
    if (!head_.normalises) return as_operands(in.lane, pooled, features_);
    auto const normal = features_.middle_rows(0, images);
    layer_norm_forward(
        in.lane, pooled, weights.norm, in.norm_epsilon, normal, statistics_.middle_rows(0, images));
    return normal;
  }
  /// The same, of the forward pass just done.
  matrix_view<O const> operands_of_features(index_t images) const {
    if constexpr (std::is_same_v<O, T>)
      if (!head_.normalises) return pooled_.middle_rows(0, images);
    return features_.middle_rows(0, images);
  }

  classifier head_;
  matrix_view<T> pooled_;        // (B, F)
  matrix_view<O> features_;      // (B, F), as operands
  matrix_view<T> statistics_;    // (B, 2), of the norm
  matrix_view<T> logits_;        // (B, K), and then their gradient
  std::span<T> losses_;          // (B)
  matrix_view<O> logits_grad_;   // (B, K), as operands
  matrix_view<T> feature_grad_;  // (B, F)
  matrix_view<T> pooled_grad_;   // (B, F)
};

}  // namespace mae
