#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/part.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/gelu.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/pooling.hpp>
#include <mae/op/set_zero.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace mae {

template <Lane L>
class projector_pass;

/// What heads that compare images consist of: tokens are pooled and normalised, and two linear
/// layers with a GELU between them make E values of them. No statistics of a batch: what is said of
/// an image depends on no other.
struct projector {
  template <class T, class Linear>
  struct weights {
    norm_weights<T> norm;  // of what was pooled
    Linear first;          // (H, F), F = D or 2 D
    Linear second;         // (E, H)
  };
  template <Lane L>
  using pass = projector_pass<L>;

  index_t hidden = 512;       // H
  index_t outputs = 128;      // E
  index_t encoder_width = 0;  // D
  pooling pool = pooling::mean;

  index_t feature_width() const { return pooled_width(pool, encoder_width); }
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
    std::string const begin = std::string(head) + '.';
    at.norm((begin + "norm").c_str(), feature_width(), of.norm...);
    at.linear((begin + "fc1").c_str(), hidden, feature_width(), of.first...);
    at.linear((begin + "fc2").c_str(), outputs, hidden, of.second...);
  }
  /// The values in its tensors.
  index_t num_parameters() const {
    detail::value_count count;
    walk("", count);
    return count.values;
  }
  product_extents extents(shard_capacity const& room) const {
    return {.width = std::max({outputs, hidden, feature_width()}), .rows = room.images};
  }
};

/// The same on a lane. S samples of a shard, F values of a feature.
template <Lane L>
class projector_pass {
  using T = scalar_of<L>;
  using O = operand_of<L>;
  using operands = projector::weights<T const, linear_operands<L>>;
  using gradients = projector::weights<T, linear_weights<T>>;

 public:
  static projector_pass carve(carver<T>& memory,
                              projector const& part,
                              shard_capacity const& room,
                              pass_kind kind) {
    index_t const width = part.feature_width();
    projector_pass pass;
    pass.pool_ = part.pool;
    pass.pooled_ = memory.matrix(room.images, width);
    pass.statistics_ = memory.matrix(room.images, 2);
    pass.normal_ = memory.template matrix_of<O>(room.images, width);
    pass.hidden_ = memory.template matrix_of<O>(room.images, part.hidden);
    pass.slope_ = memory.template matrix_of<O>(room.images, part.hidden);
    if (kind == pass_kind::inference) return pass;
    pass.outputs_grad_ = memory.template matrix_of<O>(room.images, part.outputs);
    pass.hidden_grad_ = memory.template matrix_of<O>(room.images, part.hidden);
    pass.normal_grad_ = memory.matrix(room.images, width);
    pass.pooled_grad_ = memory.matrix(room.images, width);
    return pass;
  }

  /// Writes the values of each sample (S, E).
  void forward(head_input<L> const& in, operands const& weights, matrix_view<T> outputs) const {
    index_t const rows = in.shard.images;
    auto const pooled = pooled_.middle_rows(0, rows);
    auto const normal = normal_.middle_rows(0, rows);
    auto const hidden = hidden_.middle_rows(0, rows);
    pool_tokens_forward(in.lane, in.tokens, in.shard.encoder_offsets, pool_, pooled);
    layer_norm_forward(
        in.lane, pooled, weights.norm, in.norm_epsilon, normal, statistics_.middle_rows(0, rows));
    linear_gelu_forward(in.lane, normal, weights.first, hidden, slope_.middle_rows(0, rows));
    linear_forward(in.lane, hidden, weights.second, outputs);
  }

  /// Given the gradient of the outputs (S, E), writes that of the tokens (R, D) and adds those of
  /// the weights.
  void backward(head_input<L> const& in,
                operands const& weights,
                matrix_view<T const> outputs_grad,
                matrix_view<T> tokens_grad,
                gradients const& weights_grad) const {
    index_t const rows = in.shard.images;
    auto const y_grad = as_operands(in.lane, outputs_grad, outputs_grad_);
    auto const hidden_grad = hidden_grad_.middle_rows(0, rows);
    auto const normal_grad = normal_grad_.middle_rows(0, rows);
    auto const pooled_grad = pooled_grad_.middle_rows(0, rows);
    linear_backward_weights(in.lane, hidden_.middle_rows(0, rows), y_grad, weights_grad.second);
    gelu_linear_backward(in.lane, weights.second, y_grad, slope_.middle_rows(0, rows), hidden_grad);
    linear_backward(in.lane,
                    normal_.middle_rows(0, rows),
                    weights.first,
                    hidden_grad,
                    normal_grad,
                    weights_grad.first);
    set_zero(in.lane, pooled_grad);
    layer_norm_backward(in.lane,
                        pooled_.middle_rows(0, rows),
                        weights.norm,
                        statistics_.middle_rows(0, rows),
                        normal_grad,
                        pooled_grad,
                        weights_grad.norm);
    pool_tokens_backward(in.lane, pooled_grad, in.shard.encoder_offsets, pool_, tokens_grad);
  }

 private:
  pooling pool_ = pooling::mean;
  matrix_view<T> pooled_;        // (S, F)
  matrix_view<T> statistics_;    // (S, 2), of the norm
  matrix_view<O> normal_;        // (S, F)
  matrix_view<O> hidden_;        // (S, H), after the GELU
  matrix_view<O> slope_;         // (S, H), of the GELU
  matrix_view<O> outputs_grad_;  // (S, E), as operands
  matrix_view<O> hidden_grad_;   // (S, H)
  matrix_view<T> normal_grad_;   // (S, F)
  matrix_view<T> pooled_grad_;   // (S, F)
};

}  // namespace mae
