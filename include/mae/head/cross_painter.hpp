#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/cross_decoder_pass.hpp>
#include <mae/head/painter.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/patch_loss.hpp>

#include <algorithm>
#include <span>
#include <string_view>

namespace mae {

template <Lane L>
class cross_painter_pass;

/// A painter whose decoder asks what is visible (CrossMAE: Fu et al. 2024, arXiv 2401.14391): a
/// mask token for each target attends to the encoder's tokens, the class token among them, and not
/// to other targets; what is visible is not painted. Its work is that of its targets.
struct cross_painter : painter {
  template <class T, class Linear>
  using weights = cross_decoder_weights<T, Linear>;
  template <Lane L>
  using pass = cross_painter_pass<L>;

  static constexpr std::string_view name = cross_decoder_segment;
  static constexpr predicted_patches paints = predicted_patches::targets;

  /// Throws config_error as a painter, and for a weight of visible patches.
  void require_valid() const {
    painter::require_valid();
    if (visible_weight > 0)
      throw config_error(
          "a cross-attention decoder predicts hidden patches alone: visible_weight must be 0, "
          "not " +
          decimal_text(visible_weight));
  }
  template <class Walk, class... Decoders>
  void walk(Walk& at, Decoders&... of) const {
    walk_cross_decoder(at, sizes, of...);
  }
  product_extents extents(shard_capacity const& room) const {
    auto const& stack = sizes.stack;
    return {.width = std::max(
                {2 * stack.width, stack.hidden(), sizes.encoder_width, sizes.target_width}),
            .rows = std::max(room.targets, room.encoder_rows),
            .tokens = longest(room)};
  }
  template <Lane L>
  index_t scratch_size(shard_capacity const& room, int members) const {
    auto const& stack = sizes.stack;
    return attention_scratch_size<L>(
        {room.targets, longest(room), stack.heads, stack.width / stack.heads, members});
  }

 private:
  static index_t longest(shard_capacity const& room) {
    return std::max(room.longest_decoder_sequence, room.longest_encoder_sequence);
  }
};
static_assert(Head<cross_painter>);

/// It on a lane.
template <Lane L>
class cross_painter_pass {
  using T = scalar_of<L>;

 public:
  static cross_painter_pass carve(carver<T>& memory,
                                  cross_painter const& head,
                                  shard_capacity const& room,
                                  pass_kind kind) {
    cross_painter_pass pass;
    pass.head_ = head;
    pass.keep_ = cross_decoder_activations<L>::carve(memory, head.sizes, room, kind);
    if (kind == pass_kind::training)
      pass.grads_ = cross_decoder_gradients<L>::carve(memory, head.sizes, room);
    return pass;
  }

  /// As painter_pass.
  matrix_view<T> predict(head_input<L> const& in, cross_decoder_operands<L> const& weights) const {
    return cross_decoder_forward(in.lane, context(in), weights, in.shard, in.tokens, keep_);
  }
  matrix_view<T> prediction(shard_view const& shard) const {
    return keep_.prediction.middle_rows(0, shard.num_targets());
  }
  void forward(head_input<L> const& in,
               cross_decoder_operands<L> const& weights,
               std::span<T> losses) const {
    patch_loss_forward(in.lane, head_.loss, predict(in, weights), in.labels, losses);
  }
  template <class... Add>
  void backward(head_input<L> const& in,
                cross_decoder_operands<L> const& weights,
                matrix_view<T> tokens_grad,
                cross_decoder_weights<T> const& weights_grad,
                Add const&... add) const {
    auto const predicted = prediction(in.shard);
    patch_loss_backward(in.lane, head_.loss, predicted, in.labels, predicted, in.row_weights);
    (add(predicted), ...);
    cross_decoder_backward(
        in, context(in), weights, keep_, grads_, predicted, tokens_grad, weights_grad);
  }

 private:
  block_context<T> context(head_input<L> const& in) const {
    return {in.shard.target_offsets, head_.sizes.stack.heads, in.norm_epsilon, in.scratch};
  }

  cross_painter head_;
  cross_decoder_activations<L> keep_;
  cross_decoder_gradients<L> grads_;
};

}  // namespace mae
