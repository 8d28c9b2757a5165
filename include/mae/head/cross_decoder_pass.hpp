#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/decoder.hpp>
#include <mae/head/decoder_pass.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/query_tokens.hpp>

#include <cstddef>
#include <vector>

namespace mae {

template <Lane L>
using cross_block_operands = cross_block_weights<scalar_of<L> const, linear_operands<L>>;
template <Lane L>
using cross_decoder_operands = cross_decoder_weights<scalar_of<L> const, linear_operands<L>>;

/// What a block keeps, or the gradients that live while it goes backward. M queries, Re encoder
/// rows, d width.
template <Lane L, class Rows>
struct cross_block_room {
  Rows rows;                             // (M, ...), of qkv the queries alone (M, d)
  matrix_view<operand_of<L>> key_value;  // (Re, 2 d)

  static cross_block_room carve(carver<scalar_of<L>>& memory,
                                stack_config const& stack,
                                shard_capacity const& room) {
    return {Rows::carve(memory, stack, room.targets, stack.width),
            memory.template matrix_of<operand_of<L>>(room.encoder_rows, 2 * stack.width)};
  }
  cross_block_room of_shard(shard_view const& shard) const {
    return {rows.first_rows(shard.num_targets()), key_value.middle_rows(0, shard.encoder_rows())};
  }
};
template <Lane L>
using cross_block_activations = cross_block_room<L, block_activations<L>>;
template <Lane L>
using cross_block_gradients = cross_block_room<L, block_gradients<L>>;

/// What the decoder keeps. M targets, all of which ask.
template <Lane L>
struct cross_decoder_activations {
  using T = scalar_of<L>;
  using O = operand_of<L>;

  matrix_view<O> tokens;  // (Re, D), the encoder's, as operands
  std::vector<cross_block_activations<L>> blocks;
  matrix_view<T> targets;     // (M, d), the last block's output
  matrix_view<T> statistics;  // (M, 2)
  matrix_view<O> normalised;  // (M, d)
  matrix_view<T> prediction;  // (M, target width)

  static cross_decoder_activations carve(carver<T>& memory,
                                         decoder_sizes const& sizes,
                                         shard_capacity const& room,
                                         pass_kind kind) {
    auto const& stack = sizes.stack;
    cross_decoder_activations keep;
    keep.tokens = memory.template matrix_of<O>(room.encoder_rows, sizes.encoder_width);
    for (index_t i = 0; i < (kind == pass_kind::training ? stack.depth : 1); ++i)
      keep.blocks.push_back(cross_block_activations<L>::carve(memory, stack, room));
    keep.targets = memory.matrix(room.targets, stack.width);
    keep.statistics = memory.matrix(room.targets, 2);
    keep.normalised = memory.template matrix_of<O>(room.targets, stack.width);
    keep.prediction = memory.matrix(room.targets, sizes.target_width);
    return keep;
  }
};

/// The first half of a block: middle = x + attention(norm1(x), tokens), x = keep.rows.input; the
/// second is every block's. tokens (Re, D).
template <Lane L>
void cross_half_forward(L const& lane,
                        block_context<scalar_of<L>> const& context,
                        row_offsets const& keys,
                        cross_block_operands<L> const& weights,
                        matrix_view<operand_of<L> const> tokens,
                        cross_block_activations<L> const& keep) {
  auto const& rows = keep.rows;
  layer_norm_forward(lane,
                     rows.input,
                     weights.rows.norm1,
                     context.norm_epsilon,
                     rows.norm1,
                     rows.norm1_statistics);
  linear_forward(lane, rows.norm1, weights.rows.qkv, rows.qkv);
  linear_forward(lane, tokens, weights.key_value, keep.key_value);
  cross_attention_forward(lane,
                          rows.qkv,
                          keep.key_value,
                          {context.offsets, keys},
                          context.heads,
                          rows.attended,
                          rows.log_sums,
                          context.scratch);
  linear_residual_forward(lane, rows.attended, weights.rows.proj, rows.input, rows.middle);
}

/// Turns `grad` (M, d) from that of the half's output into that of its input, adds to the weights'
/// gradients, and writes the tokens' gradient or adds to it.
template <Lane L>
// NOLINTNEXTLINE(readability-function-size): each is another array
void cross_half_backward(L const& lane,
                         block_context<scalar_of<L>> const& context,
                         row_offsets const& keys,
                         cross_block_operands<L> const& weights,
                         matrix_view<operand_of<L> const> tokens,
                         cross_block_activations<L> const& kept,
                         cross_block_gradients<L> const& scratch,
                         matrix_view<scalar_of<L>> grad,
                         cross_block_weights<scalar_of<L>> const& weights_grad,
                         matrix_view<scalar_of<L>> tokens_grad,
                         bool adds_to_tokens) {
  auto const& rows = kept.rows;
  linear_backward(lane,
                  rows.attended,
                  weights.rows.proj,
                  as_operands(lane, grad, scratch.rows.output),
                  scratch.rows.attended,
                  weights_grad.rows.proj);
  cross_attention_backward(lane,
                           rows.qkv,
                           kept.key_value,
                           {context.offsets, keys},
                           context.heads,
                           rows.log_sums,
                           scratch.rows.attended,
                           scratch.rows.qkv,
                           scratch.key_value,
                           context.scratch);
  linear_backward(lane,
                  rows.norm1,
                  weights.rows.qkv,
                  scratch.rows.qkv,
                  scratch.rows.norm,
                  weights_grad.rows.qkv);
  layer_norm_backward(lane,
                      rows.input,
                      weights.rows.norm1,
                      rows.norm1_statistics,
                      scratch.rows.norm,
                      grad,
                      weights_grad.rows.norm1);
  if (adds_to_tokens)
    linear_backward_added(
        lane, tokens, weights.key_value, scratch.key_value, tokens_grad, weights_grad.key_value);
  else
    linear_backward(
        lane, tokens, weights.key_value, scratch.key_value, tokens_grad, weights_grad.key_value);
}

/// Predicts the targets of a shard from the encoder's tokens (Re, D): returns (M, target width), in
/// the order of shard.target_patches. context.offsets are the targets'.
template <Lane L>
matrix_view<scalar_of<L>> cross_decoder_forward(L const& lane,
                                                block_context<scalar_of<L>> const& context,
                                                cross_decoder_operands<L> const& weights,
                                                shard_view const& shard,
                                                matrix_view<scalar_of<L> const> tokens,
                                                cross_decoder_activations<L> const& keep) {
  index_t const count = shard.num_targets();
  auto const prediction = keep.prediction.middle_rows(0, count);
  if (count == 0) return prediction;
  auto const known = as_operands(lane, tokens, keep.tokens);
  place_queries_forward(lane,
                        weights.mask_token,
                        weights.positions,
                        shard.target_patches,
                        keep.blocks.front().rows.input.middle_rows(0, count));
  auto const targets = keep.targets.middle_rows(0, count);
  for (std::size_t i = 0; i < weights.blocks.size(); ++i) {
    auto const block = keep.blocks[i % keep.blocks.size()].of_shard(shard);
    auto const& next = keep.blocks[(i + 1) % keep.blocks.size()].rows.input;
    bool const is_last = i + 1 == weights.blocks.size();
    cross_half_forward(lane, context, shard.encoder_offsets, weights.blocks[i], known, block);
    mlp_half_forward(lane,
                     context,
                     weights.blocks[i].rows,
                     block.rows,
                     is_last ? targets : next.middle_rows(0, count));
  }
  auto const normalised = keep.normalised.middle_rows(0, count);
  layer_norm_forward(lane,
                     targets,
                     weights.norm,
                     context.norm_epsilon,
                     normalised,
                     keep.statistics.middle_rows(0, count));
  linear_forward(lane, normalised, weights.head, prediction);
  return prediction;
}

/// Gradients that live only while the decoder goes backward.
template <Lane L>
struct cross_decoder_gradients {
  using T = scalar_of<L>;
  using O = operand_of<L>;

  cross_block_gradients<L> blocks;
  matrix_view<T> targets;     // (M, d)
  matrix_view<T> normalised;  // (M, d)
  matrix_view<O> prediction;  // (M, target width)

  static cross_decoder_gradients carve(carver<T>& memory,
                                       decoder_sizes const& sizes,
                                       shard_capacity const& room) {
    index_t const width = sizes.stack.width;
    return {.blocks = cross_block_gradients<L>::carve(memory, sizes.stack, room),
            .targets = memory.matrix(room.targets, width),
            .normalised = memory.matrix(room.targets, width),
            .prediction = memory.template matrix_of<O>(room.targets, sizes.target_width)};
  }
};

/// From the gradient of the prediction (M, target width), of one target at least, to that of the
/// encoder's tokens (Re, D), which is written, adding the gradients of all the decoder's weights.
template <Lane L>
void cross_decoder_backward(head_input<L> const& in,
                            block_context<scalar_of<L>> const& context,
                            cross_decoder_operands<L> const& weights,
                            cross_decoder_activations<L> const& kept,
                            cross_decoder_gradients<L> const& grads,
                            matrix_view<scalar_of<L> const> prediction_grad,
                            matrix_view<scalar_of<L>> tokens_grad,
                            cross_decoder_weights<scalar_of<L>> const& weights_grad) {
  L const& lane = in.lane;
  auto const grad = prediction_backward(lane, weights, kept, grads, prediction_grad, weights_grad);
  auto const tokens = as_operands(lane, in.tokens, kept.tokens);
  auto const scratch = grads.blocks.of_shard(in.shard);
  for (std::size_t i = weights.blocks.size(); i-- > 0;) {
    auto const block = kept.blocks[i].of_shard(in.shard);
    mlp_half_backward(lane,
                      context,
                      weights.blocks[i].rows,
                      block.rows,
                      scratch.rows,
                      grad,
                      weights_grad.blocks[i].rows);
    cross_half_backward(lane,
                        context,
                        in.shard.encoder_offsets,
                        weights.blocks[i],
                        tokens,
                        block,
                        scratch,
                        grad,
                        weights_grad.blocks[i],
                        tokens_grad,
                        i + 1 < weights.blocks.size());
  }
  place_queries_backward(
      lane, grad, in.shard.target_patches, weights_grad.mask_token, weights_grad.positions);
}

}  // namespace mae
