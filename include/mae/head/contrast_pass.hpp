#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/projection_layers.hpp>
#include <mae/head/projector.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/copy_rows.hpp>
#include <mae/op/linear.hpp>

namespace mae {

/// What the pass of contrast has for tensors: those of a predictor are empty where there is none.
template <class T, class Linear>
struct contrast_weights {
  projector::weights<T, Linear> projection;
  projection_layers::weights<T, Linear> prediction;
};

/// The pass of contrast: z are a projector's outputs, or, with a predictor, what that makes of them
/// and they themselves, side by side.
template <Lane L>
class contrast_pass {
  using T = scalar_of<L>;

 public:
  template <class Head>
  static contrast_pass carve(carver<T>& memory,
                             Head const& head,
                             shard_capacity const& room,
                             pass_kind kind) {
    contrast_pass pass;
    pass.projection_ = projector_pass<L>::carve(memory, head.projection, room, kind);
    if (head.predictor == 0) return pass;
    index_t const outputs = head.projection.outputs;
    pass.projected_ = memory.matrix(room.images, outputs);
    pass.prediction_ =
        projection_layers_pass<L>::carve(memory, head.prediction(), room.images, kind);
    if (kind == pass_kind::training) pass.projected_grad_ = memory.matrix(room.images, outputs);
    return pass;
  }

  /// z (samples, E) or (samples, 2 E), of any length.
  template <class Operands>
  void embed(head_input<L> const& in, Operands const& weights, matrix_view<T> z) const {
    if (!predicts()) return projection_.forward(in, weights.projection, z);
    auto const projected = projected_.middle_rows(0, z.rows);
    projection_.forward(in, weights.projection, projected);
    prediction_.forward(in, weights.prediction, projected, z.middle_cols(0, projected.cols));
    copy_rows(in.lane, projected, z.middle_cols(projected.cols, projected.cols));
  }
  template <class Operands, class Gradients>
  void backward(head_input<L> const& in,
                Operands const& weights,
                matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    if (!predicts())
      return projection_.backward(
          in, weights.projection, in.labels, tokens_grad, weights_grad.projection);
    auto const projected = projected_.middle_rows(0, in.labels.rows);
    auto const projected_grad = projected_grad_.middle_rows(0, in.labels.rows);
    prediction_.backward(in,
                         weights.prediction,
                         projected,
                         in.labels.middle_cols(0, projected.cols),
                         projected_grad,
                         weights_grad.prediction);
    projection_.backward(
        in, weights.projection, projected_grad, tokens_grad, weights_grad.projection);
  }

 private:
  bool predicts() const { return projected_.cols > 0; }

  projector_pass<L> projection_;
  projection_layers_pass<L> prediction_;
  matrix_view<T> projected_;       // (S, E); of no columns without a predictor
  matrix_view<T> projected_grad_;  // (S, E)
};

}  // namespace mae
