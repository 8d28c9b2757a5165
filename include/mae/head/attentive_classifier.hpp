#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/classifier.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/cross_entropy.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/query_pooling.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace mae {

template <Lane L>
class attentive_classifier_pass;

/// The head that learns where to look: M queries q_m each pool an image's patch tokens x_j by
/// attention, and a linear layer gives each class a score of what they found,
///   p_m = sum_j softmax_j(x_j . q_m / sqrt(D)) x_j,   logits = W [p_1 ... p_M] + b.
/// These are all functions of the attentive probes of CAE (arXiv 2202.03026), AIM (arXiv
/// 2401.08541, attention by learned queries, their mean, a linear layer) and V-JEPA (arXiv
/// 2404.08471) without an MLP: a query that is a parameter takes the projection of the keys into
/// itself (as Psomas et al. 2025, arXiv 2506.10178, have it), and the linear layer that of the
/// values, so that M is their queries times their heads and no token is projected.
/// Labels are a classifier's.
struct attentive_classifier {
  template <class T, class Linear>
  struct weights {
    std::span<T> queries;  // (M D)
    Linear layer;          // (K, M D)
  };
  template <Lane L>
  using pass = attentive_classifier_pass<L>;

  static constexpr std::string_view name = "attentive";
  static constexpr bool learns_mixtures = true;

  index_t encoder_width = 0;  // D
  index_t classes = 0;        // K
  index_t queries = 8;        // M
  double smoothing = 0;       // as a classifier's
  index_t skipped = 1;        // tokens before the patches: the class token

  /// Throws config_error for no query, and as a classifier.
  void require_valid() const {
    if (queries < 1)
      throw config_error("an attentive classifier needs a query at least, not " +
                         std::to_string(queries));
    labelled().require_valid();
  }
  index_t pooled() const { return queries * encoder_width; }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    at.token("attentive.queries", pooled(), of.queries...);
    at.linear("attentive.head", classes, pooled(), of.layer...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return labelled().label_width(); }
  /// The head on top of an encoder of these sizes.
  attentive_classifier fitted(model_config const& config) const {
    attentive_classifier head = *this;
    head.encoder_width = config.encoder.width;
    return head;
  }
  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> to) const {
    labelled().label(image, to);
  }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    return labelled().num_counted(labels);
  }
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    return labelled().loss_of_zero(labels);
  }
  settings_list settings() const {
    return {{"classes", std::to_string(classes)}, {"queries", std::to_string(queries)}};
  }
  settings_list training_settings() const { return labelled().training_settings(); }
  product_extents extents(shard_capacity const& room) const {
    return {.width = std::max(classes, pooled()), .rows = room.images};
  }

 private:
  /// The classifier that learns from the same labels.
  classifier labelled() const {
    return {.encoder_width = encoder_width, .classes = classes, .smoothing = smoothing};
  }
};
static_assert(Head<attentive_classifier>);

/// The same on a lane. B images of a shard, R tokens.
template <Lane L>
class attentive_classifier_pass {
  using T = scalar_of<L>;
  using O = operand_of<L>;
  using operands = attentive_classifier::weights<T const, linear_operands<L>>;
  using gradients = attentive_classifier::weights<T, linear_weights<T>>;

 public:
  static attentive_classifier_pass carve(carver<T>& memory,
                                         attentive_classifier const& head,
                                         shard_capacity const& room,
                                         pass_kind kind) {
    attentive_classifier_pass pass;
    pass.head_ = head;
    pass.shares_ = memory.matrix(room.encoder_rows, head.queries);
    pass.pooled_ = memory.matrix(room.images, head.pooled());
    pass.features_ = memory.template matrix_of<O>(room.images, head.pooled());
    pass.logits_ = memory.matrix(room.images, head.classes);
    if (kind == pass_kind::inference) return pass;
    pass.logits_grad_ = memory.template matrix_of<O>(room.images, head.classes);
    pass.pooled_grad_ = memory.matrix(room.images, head.pooled());
    pass.room_.slopes = memory.matrix(room.encoder_rows, head.queries);
    pass.room_.of_image = memory.matrix(room.images, head.pooled());
    return pass;
  }

  /// The classes' scores before a softmax (B, K), valid until the backward pass, which overwrites
  /// them.
  matrix_view<T> predict(head_input<L> const& in, operands const& weights) const {
    auto const pooled = pooled_.middle_rows(0, in.shard.images);
    auto const logits = logits_.middle_rows(0, in.shard.images);
    pool_by_queries_forward(
        in.lane, asked(in, weights), shares_.middle_rows(0, in.tokens.rows), pooled);
    linear_forward(in.lane, as_operands(in.lane, pooled, features_), weights.layer, logits);
    return logits;
  }
  /// Of the last prediction: how much of query m's attention fell on token r, (R, M).
  matrix_view<T const> shares(head_input<L> const& in) const {
    return shares_.middle_rows(0, in.tokens.rows);
  }

  /// losses (B): each image's cross entropy.
  void forward(head_input<L> const& in, operands const& weights, std::span<T> losses) const {
    cross_entropy_forward(in.lane, predict(in, weights), in.labels, head_.smoothing, losses);
  }

  /// Writes the tokens' gradient, unless there is no matrix for it, and adds those of the weights.
  void backward(head_input<L> const& in,
                operands const& weights,
                matrix_view<T> tokens_grad,
                gradients const& weights_grad) const {
    index_t const images = in.shard.images;
    auto const logits = logits_.middle_rows(0, images);
    auto const pooled_grad = pooled_grad_.middle_rows(0, images);
    cross_entropy_backward(in.lane, logits, in.labels, head_.smoothing, logits);
    linear_backward(in.lane,
                    features(images),
                    weights.layer,
                    as_operands(in.lane, logits, logits_grad_),
                    pooled_grad,
                    weights_grad.layer);
    pool_by_queries_backward(
        in.lane,
        asked(in, weights),
        shares_.middle_rows(0, in.tokens.rows),
        pooled_grad,
        {room_.slopes.middle_rows(0, in.tokens.rows), room_.of_image.middle_rows(0, images)},
        tokens_grad,
        weights_grad.queries);
  }

 private:
  queried_tokens<T> asked(head_input<L> const& in, operands const& weights) const {
    return {in.tokens,
            in.shard.encoder_offsets,
            head_.skipped,
            {weights.queries.data(), head_.queries, head_.encoder_width}};
  }
  /// What was pooled in the forward pass just done, as operands.
  matrix_view<O const> features(index_t images) const {
    if constexpr (std::is_same_v<O, T>)
      return pooled_.middle_rows(0, images);
    else
      return features_.middle_rows(0, images);
  }

  attentive_classifier head_;
  matrix_view<T> shares_;       // (R, M)
  matrix_view<T> pooled_;       // (B, M D)
  matrix_view<O> features_;     // (B, M D), as operands
  matrix_view<T> logits_;       // (B, K)
  matrix_view<O> logits_grad_;  // (B, K), as operands
  matrix_view<T> pooled_grad_;  // (B, M D)
  query_gradients<T> room_;
};

}  // namespace mae
