#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/projection_layers.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/pooling.hpp>

#include <string>
#include <string_view>

namespace mae {

template <Lane L>
class projector_pass;

/// What heads that compare images consist of: tokens are pooled, and projection_layers make E
/// values of them.
struct projector {
  template <class T, class Linear>
  using weights = projection_layers::weights<T, Linear>;
  template <Lane L>
  using pass = projector_pass<L>;

  index_t hidden = 512;       // H
  index_t outputs = 128;      // E
  index_t encoder_width = 0;  // D
  pooling pool = pooling::mean;

  index_t feature_width() const { return pooled_width(pool, encoder_width); }
  projection_layers layers() const { return {feature_width(), hidden, outputs}; }
  /// Throws config_error for layers without values, and where no encoder was named.
  void require_valid() const {
    if (hidden < 1 || outputs < 1)
      throw config_error("a projector's layers need values, not " + std::to_string(hidden) +
                         " and " + std::to_string(outputs));
    if (encoder_width < 1) throw config_error("a projector needs the width of its encoder");
  }
  /// Its tensors' names begin with the head's and a dot.
  template <class Walk, class... Of>
  void walk(std::string_view head, Walk& at, Of&... of) const {
    layers().walk(head, at, of...);
  }
  product_extents extents(shard_capacity const& room) const {
    return layers().extents(room.images);
  }
};

/// The same on a lane. S samples of a shard, F values of a feature.
template <Lane L>
class projector_pass {
  using T = scalar_of<L>;
  using operands = projector::weights<T const, linear_operands<L>>;
  using gradients = projector::weights<T, linear_weights<T>>;

 public:
  static projector_pass carve(carver<T>& memory,
                              projector const& part,
                              shard_capacity const& room,
                              pass_kind kind) {
    projector_pass pass;
    pass.pool_ = part.pool;
    pass.pooled_ = memory.matrix(room.images, part.feature_width());
    pass.layers_ = projection_layers_pass<L>::carve(memory, part.layers(), room.images, kind);
    if (kind == pass_kind::inference) return pass;
    pass.pooled_grad_ = memory.matrix(room.images, part.feature_width());
    return pass;
  }

  /// Writes the values of each sample (S, E).
  void forward(head_input<L> const& in, operands const& weights, matrix_view<T> outputs) const {
    auto const pooled = pooled_.middle_rows(0, in.shard.images);
    pool_tokens_forward(in.lane, in.tokens, in.shard.encoder_offsets, pool_, pooled);
    layers_.forward(in, weights, pooled, outputs);
  }

  /// Given the gradient of the outputs (S, E), writes that of the tokens (R, D) and adds those of
  /// the weights.
  void backward(head_input<L> const& in,
                operands const& weights,
                matrix_view<T const> outputs_grad,
                matrix_view<T> tokens_grad,
                gradients const& weights_grad) const {
    index_t const rows = in.shard.images;
    auto const pooled_grad = pooled_grad_.middle_rows(0, rows);
    layers_.backward(
        in, weights, pooled_.middle_rows(0, rows), outputs_grad, pooled_grad, weights_grad);
    pool_tokens_backward(in.lane, pooled_grad, in.shard.encoder_offsets, pool_, tokens_grad);
  }

 private:
  pooling pool_ = pooling::mean;
  matrix_view<T> pooled_;  // (S, F)
  projection_layers_pass<L> layers_;
  matrix_view<T> pooled_grad_;  // (S, F)
};

}  // namespace mae
