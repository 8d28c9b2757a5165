#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/op/tokens.hpp>

#include <span>
#include <vector>

namespace mae {

/// A decoder's tensors, seen as an encoder's are.
template <class T, class Linear = linear_weights<T>>
struct decoder_weights {
  Linear embed;              // (d, D)
  std::span<T> mask_token;   // (d)
  matrix_view<T> positions;  // (N + 1, d)
  std::vector<block_weights<T, Linear>> blocks;
  norm_weights<T> norm;
  Linear head;            // (target width, d)
  matrix_view<T> levels;  // (L, d), of hidden patches' density; or none
};

template <Lane L>
using decoder_operands = decoder_weights<scalar_of<L> const, linear_operands<L>>;

/// What the decoder keeps. Re encoder rows, Rd decoder rows, M targets. After the last block's
/// attention nothing but target rows is used, so its MLP, the final norm and the head run on them
/// alone.
template <Lane L>
struct decoder_activations {
  using T = scalar_of<L>;
  using O = operand_of<L>;

  matrix_view<O> tokens;    // (Re, D), the encoder's, as operands
  matrix_view<T> embedded;  // (Re, d)
  std::vector<block_activations<L>> blocks;
  matrix_view<T> target_middle;  // (M, d), the last block's, at target rows
  matrix_view<T> targets;        // (M, d), its output
  matrix_view<T> statistics;     // (M, 2)
  matrix_view<O> normalised;     // (M, d)
  matrix_view<T> prediction;     // (M, target width)

  static decoder_activations carve(carver<T>& memory,
                                   decoder_sizes const& sizes,
                                   shard_capacity const& room,
                                   pass_kind kind) {
    auto const& stack = sizes.stack;
    decoder_activations keep;
    keep.tokens = memory.template matrix_of<O>(room.encoder_rows, sizes.encoder_width);
    keep.embedded = memory.matrix(room.encoder_rows, stack.width);
    for (index_t i = 0; i < (kind == pass_kind::training ? stack.depth : 1); ++i)
      keep.blocks.push_back(block_activations<L>::carve(memory, stack, room.decoder_rows, kind));
    keep.target_middle = memory.matrix(room.targets, stack.width);
    keep.targets = memory.matrix(room.targets, stack.width);
    keep.statistics = memory.matrix(room.targets, 2);
    keep.normalised = memory.template matrix_of<O>(room.targets, stack.width);
    keep.prediction = memory.matrix(room.targets, sizes.target_width);
    return keep;
  }

  /// What the last block keeps of its MLP, for `count` targets.
  block_activations<L> last_mlp(index_t count) const {
    auto mlp = blocks.back().first_rows(count);
    mlp.middle = target_middle.middle_rows(0, count);
    return mlp;
  }
};

/// Predicts the targets of a shard from the encoder's tokens (Re, D): returns (M, target width), in
/// the order of shard.target_patches.
template <Lane L>
matrix_view<scalar_of<L>> decoder_forward(L const& lane,
                                          block_context<scalar_of<L>> const& context,
                                          decoder_operands<L> const& weights,
                                          shard_view const& shard,
                                          matrix_view<scalar_of<L> const> tokens,
                                          decoder_activations<L> const& keep) {
  index_t const rows = shard.decoder_rows();
  auto const embedded = keep.embedded.middle_rows(0, shard.encoder_rows());
  linear_forward(lane, as_operands(lane, tokens, keep.tokens), weights.embed, embedded);
  place_tokens_forward(lane,
                       embedded,
                       weights.mask_token,
                       weights.positions,
                       shard.decoder_tokens,
                       keep.blocks.front().input.middle_rows(0, rows),
                       weights.levels);

  auto const& last = keep.blocks.back();
  stack_forward<L>(lane,
                   context,
                   std::span(weights.blocks).first(weights.blocks.size() - 1),
                   keep.blocks,
                   rows,
                   last.input.middle_rows(0, rows));
  attention_half_forward(lane, context, weights.blocks.back(), last.first_rows(rows));

  auto const mlp = keep.last_mlp(shard.num_targets());
  auto const targets = keep.targets.middle_rows(0, shard.num_targets());
  auto const normalised = keep.normalised.middle_rows(0, shard.num_targets());
  auto const prediction = keep.prediction.middle_rows(0, shard.num_targets());
  gather_rows_forward(lane, last.middle.middle_rows(0, rows), shard.target_rows, mlp.middle);
  mlp_half_forward(lane, context, weights.blocks.back(), mlp, targets);
  layer_norm_forward(lane,
                     targets,
                     weights.norm,
                     context.norm_epsilon,
                     normalised,
                     keep.statistics.middle_rows(0, shard.num_targets()));
  linear_forward(lane, normalised, weights.head, prediction);
  return prediction;
}

/// Gradients that live only while the decoder goes backward.
template <Lane L>
struct decoder_gradients {
  using T = scalar_of<L>;
  using O = operand_of<L>;

  block_gradients<L> blocks;
  matrix_view<T> rows;        // (Rd, d)
  matrix_view<T> targets;     // (M, d)
  matrix_view<T> normalised;  // (M, d)
  matrix_view<O> prediction;  // (M, target width)
  matrix_view<O> embedded;    // (Re, d)

  static decoder_gradients carve(carver<T>& memory,
                                 decoder_sizes const& sizes,
                                 shard_capacity const& room) {
    index_t const width = sizes.stack.width;
    return {.blocks = block_gradients<L>::carve(memory, sizes.stack, room.decoder_rows),
            .rows = memory.matrix(room.decoder_rows, width),
            .targets = memory.matrix(room.targets, width),
            .normalised = memory.matrix(room.targets, width),
            .prediction = memory.template matrix_of<O>(room.targets, sizes.target_width),
            .embedded = memory.template matrix_of<O>(room.encoder_rows, width)};
  }
};

/// From the gradient of the prediction (M, target width) to that of the last block's targets (M,
/// d), adding those of the weights between, of any kind of decoder.
template <Lane L, class Operands, class Kept, class Gradients, class Weights>
matrix_view<scalar_of<L>> prediction_backward(L const& lane,
                                              Operands const& weights,
                                              Kept const& kept,
                                              Gradients const& grads,
                                              matrix_view<scalar_of<L> const> prediction_grad,
                                              Weights const& weights_grad) {
  index_t const count = prediction_grad.rows;
  auto const targets_grad = grads.targets.middle_rows(0, count);
  auto const normalised_grad = grads.normalised.middle_rows(0, count);
  linear_backward(lane,
                  kept.normalised.middle_rows(0, count),
                  weights.head,
                  as_operands(lane, prediction_grad, grads.prediction),
                  normalised_grad,
                  weights_grad.head);
  set_zero(lane, targets_grad);
  layer_norm_backward(lane,
                      kept.targets.middle_rows(0, count),
                      weights.norm,
                      kept.statistics.middle_rows(0, count),
                      normalised_grad,
                      targets_grad,
                      weights_grad.norm);
  return targets_grad;
}

/// From the gradient of the prediction (M, target width) of what `in` was to that of the encoder's
/// tokens (Re, D), adding the gradients of all the decoder's weights. kept.embedded is overwritten.
template <Lane L>
void decoder_backward(head_input<L> const& in,
                      block_context<scalar_of<L>> const& context,
                      decoder_operands<L> const& weights,
                      decoder_activations<L> const& kept,
                      decoder_gradients<L> const& grads,
                      matrix_view<scalar_of<L> const> prediction_grad,
                      matrix_view<scalar_of<L>> tokens_grad,
                      decoder_weights<scalar_of<L>> const& weights_grad) {
  L const& lane = in.lane;
  auto const& shard = in.shard;
  auto const& scratch = grads.blocks;
  index_t const count = shard.num_targets();
  auto const grad = grads.rows.middle_rows(0, shard.decoder_rows());
  auto const targets_grad =
      prediction_backward(lane, weights, kept, grads, prediction_grad, weights_grad);

  auto const& last = weights.blocks.back();
  auto const& last_grad = weights_grad.blocks.back();
  mlp_half_backward(lane,
                    context,
                    last,
                    kept.last_mlp(count),
                    scratch.first_rows(count),
                    targets_grad,
                    last_grad);
  gather_rows_backward(lane, targets_grad, shard.target_rows, grad);
  attention_half_backward(lane,
                          context,
                          last,
                          kept.blocks.back().first_rows(grad.rows),
                          scratch.first_rows(grad.rows),
                          grad,
                          last_grad);
  stack_backward<L>(lane,
                    context,
                    std::span(weights.blocks).first(weights.blocks.size() - 1),
                    kept.blocks,
                    scratch,
                    grad,
                    weights_grad.blocks);

  if (weights_grad.positions.data != nullptr)
    positions_backward(
        lane, grad, shard.decoder_tokens, shard.decoder_offsets, weights_grad.positions);
  if (weights_grad.levels.data != nullptr)
    levels_backward(lane, grad, shard.decoder_tokens.level, weights_grad.levels);
  auto const embedded_grad = kept.embedded.middle_rows(0, shard.encoder_rows());
  // Encoder rows of images without targets are no decoder row's source.
  if (grad.rows - count < embedded_grad.rows) set_zero(lane, embedded_grad);
  place_tokens_backward(lane, grad, shard.decoder_tokens, embedded_grad, weights_grad.mask_token);
  linear_backward(lane,
                  as_operands(lane, in.tokens, kept.tokens),
                  weights.embed,
                  as_operands(lane, embedded_grad, grads.embedded),
                  tokens_grad,
                  weights_grad.embed);
}

}  // namespace mae
