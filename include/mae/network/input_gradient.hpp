#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/gelu.hpp>
#include <mae/op/input_gradients.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/set_zero.hpp>

#include <cstddef>

namespace mae {

/// block_backward of a block that does not learn: turns `grad` (R, D), the gradient of its output,
/// into that of its input, and no weights' gradients are made.
template <Lane L>
void block_backward_input(L const& lane,
                          block_context<scalar_of<L>> const& context,
                          block_operands<L> const& weights,
                          block_activations<L> const& kept,
                          block_gradients<L> const& scratch,
                          matrix_view<scalar_of<L>> grad) {
  auto const mlp_grad = branch_grad<L>(lane, context, block_half::mlp, grad, scratch.output);
  gelu_linear_backward(lane, weights.fc2, mlp_grad, kept.slope, scratch.hidden);
  linear_backward_input(lane, weights.fc1, scratch.hidden, scratch.norm);
  layer_norm_backward_input(
      lane, kept.middle, weights.norm2, kept.norm2_statistics, scratch.norm, grad);

  auto const attention_grad =
      branch_grad<L>(lane, context, block_half::attention, grad, scratch.output);
  linear_backward_input(lane, weights.proj, attention_grad, scratch.attended);
  attention_backward(lane,
                     kept.qkv,
                     context.offsets,
                     context.heads,
                     kept.log_sums,
                     scratch.attended,
                     scratch.qkv,
                     context.scratch);
  linear_backward_input(lane, weights.qkv, scratch.qkv, scratch.norm);
  layer_norm_backward_input(
      lane, kept.input, weights.norm1, kept.norm1_statistics, scratch.norm, grad);
}

/// encoder_backward of an encoder that does not learn: writes the gradient of the visible patches
/// (V, P), given that of the tokens (R, D) which encoder_forward returned. Theirs may be
/// overwritten, and so is kept.embedded.
template <Lane L>
void encoder_backward_input(L const& lane,
                            block_context<scalar_of<L>> const& context,
                            encoder_operands<L> const& weights,
                            shard_view const& shard,
                            encoder_activations<L> const& kept,
                            encoder_gradients<L> const& grads,
                            matrix_view<scalar_of<L>> tokens_grad,
                            matrix_view<scalar_of<L>> patches_grad) {
  auto grad = tokens_grad;
  if (has_final_norm<L>(weights)) {
    grad = grads.rows.middle_rows(0, tokens_grad.rows);
    set_zero(lane, grad);
    layer_norm_backward_input(lane,
                              kept.output.middle_rows(0, grad.rows),
                              weights.norm,
                              kept.statistics.middle_rows(0, grad.rows),
                              tokens_grad,
                              grad);
  }
  for (std::size_t i = weights.blocks.size(); i-- > 0;)
    block_backward_input(lane,
                         context.of_block(i),
                         weights.blocks[i],
                         kept.blocks[i].first_rows(grad.rows),
                         grads.blocks.first_rows(grad.rows),
                         grad);
  auto const embedded_grad = kept.embedded.middle_rows(0, shard.num_visible());
  place_tokens_backward_input(lane, grad, shard.encoder_tokens, embedded_grad);
  linear_backward_input(lane,
                        weights.patch_embed,
                        as_operands(lane, embedded_grad, kept.embedded_operand),
                        patches_grad);
}

}  // namespace mae
