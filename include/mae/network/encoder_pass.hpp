#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/op/tokens.hpp>

#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// What the encoder keeps. V visible patches, R = V + images rows.
template <Lane L>
struct encoder_activations {
  using T = scalar_of<L>;
  using O = operand_of<L>;

  matrix_view<O> patches;   // (V, P)
  matrix_view<T> embedded;  // (V, D)
  std::vector<block_activations<L>> blocks;
  matrix_view<T> output;            // (R, D), of the last block
  matrix_view<T> statistics;        // (R, 2)
  matrix_view<T> tokens;            // (R, D), after the final norm, where there is one
  matrix_view<O> embedded_operand;  // (V, D), the gradient of `embedded`

  static encoder_activations carve(carver<T>& memory,
                                   model_config const& config,
                                   shard_capacity const& room,
                                   pass_kind kind) {
    auto const& stack = config.encoder;
    encoder_activations keep;
    keep.patches = memory.template matrix_of<O>(room.visible, config.patch_values());
    keep.embedded = memory.matrix(room.visible, stack.width);
    for (index_t i = 0; i < (kind == pass_kind::training ? stack.depth : 1); ++i)
      keep.blocks.push_back(block_activations<L>::carve(memory, stack, room.encoder_rows, kind));
    keep.output = memory.matrix(room.encoder_rows, stack.width);
    keep.statistics = memory.matrix(room.encoder_rows, 2);
    keep.tokens = memory.matrix(room.encoder_rows, stack.width);
    if (kind == pass_kind::training)
      keep.embedded_operand = memory.template matrix_of<O>(room.visible, stack.width);
    return keep;
  }
};

/// Runs a stack of blocks on `rows` rows; the input stands in keep.front().input. Block i writes
/// the input of block i + 1, which is its own input where one block's activations serve all.
template <Lane L>
void stack_forward(L const& lane,
                   block_context<scalar_of<L>> const& context,
                   std::span<block_operands<L> const> weights,
                   std::vector<block_activations<L>> const& keep,
                   index_t rows,
                   matrix_view<scalar_of<L>> y) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    auto const& next = keep[(i + 1) % keep.size()].input;
    bool const is_last = i + 1 == weights.size();
    block_forward(lane,
                  context.of_block(i),
                  weights[i],
                  keep[i % keep.size()].first_rows(rows),
                  is_last ? y : next.middle_rows(0, rows));
  }
}

/// Turns `grad` (rows, D), the gradient of the stack's output, into that of its input.
template <Lane L>
void stack_backward(L const& lane,
                    block_context<scalar_of<L>> const& context,
                    std::span<block_operands<L> const> weights,
                    std::vector<block_activations<L>> const& kept,
                    block_gradients<L> const& scratch,
                    matrix_view<scalar_of<L>> grad,
                    std::vector<block_weights<scalar_of<L>>> const& weights_grad) {
  for (std::size_t i = weights.size(); i-- > 0;)
    block_backward(lane,
                   context.of_block(i),
                   weights[i],
                   kept[i].first_rows(grad.rows),
                   scratch.first_rows(grad.rows),
                   grad,
                   weights_grad[i]);
}

/// Writes the first block's input: for each image its class token, then its visible patches, with
/// their positions, and their levels where these are told. patches (images * N, P), normalised.
template <Lane L>
void embed_patches(L const& lane,
                   encoder_operands<L> const& weights,
                   shard_view const& shard,
                   matrix_view<scalar_of<L> const> patches,
                   encoder_activations<L> const& keep) {
  auto const visible = keep.patches.middle_rows(0, shard.num_visible());
  auto const embedded = keep.embedded.middle_rows(0, shard.num_visible());
  gather_rows_forward(lane, patches, shard.visible_patches, visible);
  linear_forward(lane, visible, weights.patch_embed, embedded);
  place_tokens_forward(lane,
                       embedded,
                       weights.class_token,
                       weights.positions,
                       shard.encoder_tokens,
                       keep.blocks.front().input.middle_rows(0, shard.encoder_rows()),
                       weights.levels);
}

/// Whether tokens are normalised, and not what is pooled of them.
template <Lane L>
bool has_final_norm(encoder_operands<L> const& weights) {
  return !weights.norm.weight.empty();
}

/// Encodes the visible patches of a shard. patches (images * N, P), normalised; returns the tokens
/// after the final norm (R, D): for each image its class token, then its visible patches.
template <Lane L>
matrix_view<scalar_of<L>> encoder_forward(L const& lane,
                                          block_context<scalar_of<L>> const& context,
                                          encoder_operands<L> const& weights,
                                          shard_view const& shard,
                                          matrix_view<scalar_of<L> const> patches,
                                          encoder_activations<L> const& keep) {
  index_t const rows = shard.encoder_rows();
  embed_patches(lane, weights, shard, patches, keep);
  bool const normalises = has_final_norm<L>(weights);
  auto const tokens = keep.tokens.middle_rows(0, rows);
  auto const output = normalises ? keep.output.middle_rows(0, rows) : tokens;
  stack_forward<L>(lane, context, weights.blocks, keep.blocks, rows, output);
  if (normalises)
    layer_norm_forward(lane,
                       output,
                       weights.norm,
                       context.norm_epsilon,
                       tokens,
                       keep.statistics.middle_rows(0, rows));
  return tokens;
}

/// Some of an encoder's blocks, one after the other, numbered from 1.
struct block_range {
  index_t first = 1;
  index_t last = 1;

  index_t count() const { return last - first + 1; }
};

/// What sees the tokens (R, D) after each of some blocks, visit(block, tokens): through the final
/// norm, or as they are.
template <class Visit>
struct block_visits {
  block_range blocks;
  bool are_normalised = true;
  Visit visit;
};

/// Likewise for a pass of inference, which ends with the last block that is visited.
template <Lane L, class Visit>
void encoder_forward_by_block(L const& lane,
                              block_context<scalar_of<L>> const& context,
                              encoder_operands<L> const& weights,
                              shard_view const& shard,
                              matrix_view<scalar_of<L> const> patches,
                              encoder_activations<L> const& keep,
                              block_visits<Visit> const& each) {
  assert(keep.blocks.size() == 1);  // whose input the next block reads
  index_t const rows = shard.encoder_rows();
  auto const stream = keep.blocks.front().input.middle_rows(0, rows);
  auto const tokens = keep.tokens.middle_rows(0, rows);
  embed_patches(lane, weights, shard, patches, keep);
  for (index_t done = 0, block = each.blocks.first; block <= each.blocks.last; done = block++) {
    auto const next =
        std::span(weights.blocks)
            .subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(block - done));
    stack_forward<L>(lane, context, next, keep.blocks, rows, stream);
    if (!each.are_normalised) {
      each.visit(block, stream);
      continue;
    }
    auto const statistics = keep.statistics.middle_rows(0, rows);
    layer_norm_forward(lane, stream, weights.norm, context.norm_epsilon, tokens, statistics);
    each.visit(block, tokens);
  }
}

/// Gradients that live only while the encoder goes backward.
template <Lane L>
struct encoder_gradients {
  block_gradients<L> blocks;
  matrix_view<scalar_of<L>> rows;  // (R, D)

  static encoder_gradients carve(carver<scalar_of<L>>& memory,
                                 model_config const& config,
                                 shard_capacity const& room) {
    return {.blocks = block_gradients<L>::carve(memory, config.encoder, room.encoder_rows),
            .rows = memory.matrix(room.encoder_rows, config.encoder.width)};
  }
};

/// The gradient of the last block's output, given that of the tokens, which may be overwritten.
template <Lane L>
matrix_view<scalar_of<L>> final_norm_backward(L const& lane,
                                              encoder_operands<L> const& weights,
                                              encoder_activations<L> const& kept,
                                              encoder_gradients<L> const& grads,
                                              matrix_view<scalar_of<L>> tokens_grad,
                                              encoder_weights<scalar_of<L>> const& weights_grad) {
  if (!has_final_norm<L>(weights)) return tokens_grad;
  auto const grad = grads.rows.middle_rows(0, tokens_grad.rows);
  set_zero(lane, grad);
  layer_norm_backward(lane,
                      kept.output.middle_rows(0, grad.rows),
                      weights.norm,
                      kept.statistics.middle_rows(0, grad.rows),
                      tokens_grad,
                      grad,
                      weights_grad.norm);
  return grad;
}

/// Adds the gradients of all the encoder's weights, given that of its tokens (R, D). It may be
/// overwritten, and so is keep.embedded, whose values the backward pass does not need but for
/// `slopes`: none, or those of a factor on each embedded patch (V), see place_tokens_slopes.
template <Lane L>
// NOLINTNEXTLINE(readability-function-size): each is another array
void encoder_backward(L const& lane,
                      block_context<scalar_of<L>> const& context,
                      encoder_operands<L> const& weights,
                      shard_view const& shard,
                      encoder_activations<L> const& kept,
                      encoder_gradients<L> const& grads,
                      matrix_view<scalar_of<L>> tokens_grad,
                      encoder_weights<scalar_of<L>> const& weights_grad,
                      std::span<scalar_of<L>> slopes = {}) {
  auto const grad = final_norm_backward(lane, weights, kept, grads, tokens_grad, weights_grad);
  stack_backward<L>(
      lane, context, weights.blocks, kept.blocks, grads.blocks, grad, weights_grad.blocks);

  if (weights_grad.positions.data != nullptr)
    positions_backward(
        lane, grad, shard.encoder_tokens, shard.encoder_offsets, weights_grad.positions);
  if (weights_grad.levels.data != nullptr)
    levels_backward(lane, grad, shard.encoder_tokens.level, weights_grad.levels);
  auto const embedded_grad = kept.embedded.middle_rows(0, shard.num_visible());
  if (!slopes.empty()) place_tokens_slopes(lane, embedded_grad, grad, shard.encoder_tokens, slopes);
  place_tokens_backward(lane, grad, shard.encoder_tokens, embedded_grad, weights_grad.class_token);
  linear_backward_weights(lane,
                          kept.patches.middle_rows(0, shard.num_visible()),
                          as_operands(lane, embedded_grad, kept.embedded_operand),
                          weights_grad.patch_embed);
}

}  // namespace mae
