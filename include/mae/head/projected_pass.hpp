#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/views.hpp>
#include <mae/head/projector.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>

namespace mae {

/// The pass of a head that compares images by what a projector makes of them, its member
/// `projection`: z are the projector's outputs.
template <Lane L>
class projected_pass {
  using T = scalar_of<L>;

 public:
  template <class Head>
  static projected_pass carve(carver<T>& memory,
                              Head const& head,
                              shard_capacity const& room,
                              pass_kind kind) {
    projected_pass pass;
    pass.projection_ = projector_pass<L>::carve(memory, head.projection, room, kind);
    return pass;
  }

  /// z (samples, E), of any length.
  template <class Operands>
  void embed(head_input<L> const& in, Operands const& weights, matrix_view<T> z) const {
    projection_.forward(in, weights, z);
  }
  template <class Operands, class Gradients>
  void backward(head_input<L> const& in,
                Operands const& weights,
                matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    projection_.backward(in, weights, in.labels, tokens_grad, weights_grad);
  }

 private:
  projector_pass<L> projection_;
};

}  // namespace mae
