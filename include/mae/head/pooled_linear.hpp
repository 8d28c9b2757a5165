#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/pooling.hpp>
#include <mae/op/set_zero.hpp>

#include <algorithm>
#include <type_traits>

namespace mae {

template <Lane L>
class pooled_linear_pass;

/// What heads that say something of a whole image consist of: tokens are pooled, normalised if so
/// asked, and a linear layer makes K values of them.
struct pooled_linear {
  template <class T, class Linear>
  struct weights {
    norm_weights<T> norm;  // of what was pooled
    Linear layer;          // (K, F), F = D or 2 D
  };
  template <Lane L>
  using pass = pooled_linear_pass<L>;

  char const* name = "head";  // of the layer's tensors
  index_t encoder_width = 0;  // D
  index_t outputs = 0;        // K
  pooling pool = pooling::mean;
  bool normalises = false;  // what was pooled, by fc_norm

  index_t feature_width() const { return pooled_width(pool, encoder_width); }
  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    if (normalises) at.norm("fc_norm", feature_width(), of.norm...);
    at.linear(name, outputs, feature_width(), of.layer...);
  }
  product_extents extents(shard_capacity const& room) const {
    return {.width = std::max(outputs, feature_width()), .rows = room.images};
  }
};

/// The same on a lane. B images of a shard, F values of a feature.
template <Lane L>
class pooled_linear_pass {
  using T = scalar_of<L>;
  using O = operand_of<L>;
  using operands = pooled_linear::weights<T const, linear_operands<L>>;
  using gradients = pooled_linear::weights<T, linear_weights<T>>;

 public:
  static pooled_linear_pass carve(carver<T>& memory,
                                  pooled_linear const& part,
                                  shard_capacity const& room,
                                  pass_kind kind) {
    index_t const width = part.feature_width();
    pooled_linear_pass pass;
    pass.part_ = part;
    pass.pooled_ = memory.matrix(room.images, width);
    pass.features_ = memory.template matrix_of<O>(room.images, width);
    pass.statistics_ = memory.matrix(room.images, 2);
    pass.outputs_ = memory.matrix(room.images, part.outputs);
    if (kind == pass_kind::inference) return pass;
    pass.outputs_grad_ = memory.template matrix_of<O>(room.images, part.outputs);
    pass.feature_grad_ = memory.matrix(room.images, width);
    pass.pooled_grad_ = memory.matrix(room.images, width);
    return pass;
  }

  /// The values of each image (B, K).
  matrix_view<T> forward(head_input<L> const& in, operands const& weights) const {
    pool_tokens_forward(in.lane, in.tokens, in.shard.encoder_offsets, part_.pool, pooled(in.shard));
    linear_forward(in.lane, features(in, weights), weights.layer, outputs(in.shard));
    return outputs(in.shard);
  }
  /// What `forward` returned; may be overwritten by its gradient.
  matrix_view<T> outputs(shard_view const& shard) const {
    return outputs_.middle_rows(0, shard.images);
  }

  /// Given the gradient of the outputs (B, K), writes that of the tokens (R, D) and adds those of
  /// the weights. Without a matrix for the tokens' gradient, those of tokens that do not learn, the
  /// layer's weights need not be packed for the backward pass where nothing is normalised.
  void backward(head_input<L> const& in,
                operands const& weights,
                matrix_view<T const> outputs_grad,
                matrix_view<T> tokens_grad,
                gradients const& weights_grad) const {
    index_t const images = in.shard.images;
    bool const tokens_learn = tokens_grad.data != nullptr;
    auto const x = operands_of_features(in.shard);
    auto const y_grad = as_operands(in.lane, outputs_grad, outputs_grad_);
    if (!tokens_learn && !part_.normalises)
      return linear_backward_weights(in.lane, x, y_grad, weights_grad.layer);
    auto grad = feature_grad_.middle_rows(0, images);
    linear_backward(in.lane, x, weights.layer, y_grad, grad, weights_grad.layer);
    if (part_.normalises) {
      auto const normal_grad = grad;
      grad = pooled_grad_.middle_rows(0, images);
      set_zero(in.lane, grad);
      layer_norm_backward(in.lane,
                          pooled(in.shard),
                          weights.norm,
                          statistics_.middle_rows(0, images),
                          normal_grad,
                          grad,
                          weights_grad.norm);
    }
    if (tokens_learn)
      pool_tokens_backward(in.lane, grad, in.shard.encoder_offsets, part_.pool, tokens_grad);
  }

 private:
  matrix_view<T> pooled(shard_view const& shard) const {
    return pooled_.middle_rows(0, shard.images);
  }
  /// What was pooled, normalised if so asked, as operands.
  matrix_view<O const> features(head_input<L> const& in, operands const& weights) const {
    if (!part_.normalises) return as_operands(in.lane, pooled(in.shard), features_);
    auto const normal = features_.middle_rows(0, in.shard.images);
    layer_norm_forward(in.lane,
                       pooled(in.shard),
                       weights.norm,
                       in.norm_epsilon,
                       normal,
                       statistics_.middle_rows(0, in.shard.images));
    return normal;
  }
  /// The same, of the forward pass just done.
  matrix_view<O const> operands_of_features(shard_view const& shard) const {
    if constexpr (std::is_same_v<O, T>)
      if (!part_.normalises) return pooled(shard);
    return features_.middle_rows(0, shard.images);
  }

  pooled_linear part_;
  matrix_view<T> pooled_;        // (B, F)
  matrix_view<O> features_;      // (B, F), as operands
  matrix_view<T> statistics_;    // (B, 2), of the norm
  matrix_view<T> outputs_;       // (B, K)
  matrix_view<O> outputs_grad_;  // (B, K), as operands
  matrix_view<T> feature_grad_;  // (B, F)
  matrix_view<T> pooled_grad_;   // (B, F)
};

}  // namespace mae
