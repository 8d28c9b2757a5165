#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace mae {

/// The segment of a table of tensors that is a cross-attention decoder's.
inline constexpr std::string_view cross_decoder_segment = "cross_decoder";

/// A tensor that only such a decoder has.
inline constexpr char const* first_cross_query = "decoder_blocks.0.cross_attn.q.weight";

/// A block whose rows ask the encoder's tokens, and not each other.
template <class T, class Linear = linear_weights<T>>
struct cross_block_weights {
  block_weights<T, Linear> rows;  // its qkv makes queries alone (d, d)
  Linear key_value;               // (2 d, D)
};

/// A cross-attention decoder's tensors.
template <class T, class Linear = linear_weights<T>>
struct cross_decoder_weights {
  std::span<T> mask_token;   // (d)
  matrix_view<T> positions;  // (N + 1, d)
  std::vector<cross_block_weights<T, Linear>> blocks;
  norm_weights<T> norm;
  Linear head;  // (target width, d)
};

/// A block's part, under the names of CrossMAE's code.
template <class Walk, class... Blocks>
constexpr void walk_cross_block(Walk& at, decoder_sizes const& sizes, Blocks&... of) {
  auto const& stack = sizes.stack;
  at.norm("norm1", stack.width, of.rows.norm1...);
  at.linear("cross_attn.q", stack.width, stack.width, of.rows.qkv...);
  at.linear("cross_attn.kv", 2 * stack.width, sizes.encoder_width, of.key_value...);
  at.linear("cross_attn.proj", stack.width, stack.width, of.rows.proj...);
  at.norm("norm2", stack.width, of.rows.norm2...);
  at.linear("mlp.fc1", stack.hidden(), stack.width, of.rows.fc1...);
  at.linear("mlp.fc2", stack.width, stack.hidden(), of.rows.fc2...);
}

/// The decoder's, without what CrossMAE's code has besides: for each block a learned sum of all
/// encoder blocks' tokens (weight_fm) in place of the last one's.
template <class Walk, class... Decoders>
constexpr void walk_cross_decoder(Walk& at, decoder_sizes const& sizes, Decoders&... of) {
  auto const& stack = sizes.stack;
  at.token("mask_token", stack.width, of.mask_token...);
  at.positions("decoder_pos_embed", sizes.patches, stack.width, of.positions...);
  (detail::resize_stack(of.blocks, static_cast<std::size_t>(stack.depth)), ...);
  for (index_t i = 0; i < stack.depth; ++i) {
    at.enter("decoder_blocks.", i);
    walk_cross_block(at, sizes, of.blocks[static_cast<std::size_t>(i)]...);
    at.leave();
  }
  at.norm("decoder_norm", stack.width, of.norm...);
  at.linear("decoder_pred", sizes.target_width, stack.width, of.head...);
}

/// Adds the decoder's segment, as add_decoder.
inline void add_cross_decoder(parameter_layout& layout,
                              model_config const& config,
                              index_t target_width) {
  layout.begin(cross_decoder_segment);
  detail::table_walk at(layout);
  walk_cross_decoder(at, decoder_sizes::of(config, target_width));
}

/// The values in encoder and decoder, as parameter_count.
constexpr index_t cross_parameter_count(model_config const& config, index_t target_width) {
  detail::value_count count;
  walk_encoder(count, config);
  walk_cross_decoder(count, decoder_sizes::of(config, target_width));
  return count.values;
}

}  // namespace mae
