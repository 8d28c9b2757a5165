#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The tensors of each part of a network, said once, in the order of files. A walk tells `at` each
// tensor's name and sizes, with the member of each of `of` (any number of objects of one form) that
// stands for it: the table of tensors is a walk without objects, views into a flat array are one of
// a single object, packing is one from weights to operands.
//
// `at` has begin(segment) before each part, enter(stack, block) and leave() around each block, and
// for what a part consists of
//   norm(name, width, of...)                     weight and bias (width)
//   linear(name, out, in, of...)                 weight (out, in), bias (out)
//   token(name, width, of...)                    (1, 1, width), learned
//   positions(name, patches, width, of...)       (1, patches + 1, width), fixed or learned
//   table(name, rows, width, of...)              (rows, width), learned, zero at first
//   patch_projection(name, config, of...)        weight (width, p, p, C), bias (width)

namespace mae {

/// The beginning of the names of a block's tensors: "blocks.0.".
inline std::string block_prefix(char const* stack, index_t block) {
  return stack + std::to_string(block) + ".";
}

/// The segment of a table of tensors that is the encoder's; a head's has the head's name.
inline constexpr std::string_view encoder_segment = "encoder";

/// A pre-norm transformer block (Dosovitskiy et al. 2020, arXiv 2010.11929).
template <class Walk, class... Blocks>
constexpr void walk_block(Walk& at, stack_config const& stack, Blocks&... of) {
  at.norm("norm1", stack.width, of.norm1...);
  at.linear("attn.qkv", 3 * stack.width, stack.width, of.qkv...);
  at.linear("attn.proj", stack.width, stack.width, of.proj...);
  at.norm("norm2", stack.width, of.norm2...);
  at.linear("mlp.fc1", stack.hidden(), stack.width, of.fc1...);
  at.linear("mlp.fc2", stack.width, stack.hidden(), of.fc2...);
}

namespace detail {

template <class Block>
void resize_stack(std::vector<Block>& blocks, std::size_t depth) {
  blocks.resize(depth);
}
template <class Block>
void resize_stack(std::vector<Block> const& /*walked from*/, std::size_t /*depth*/) {}

}  // namespace detail

/// A stack's blocks; those of an object that is not const are made as many as it has.
template <class Walk, class... Stacks>
constexpr void walk_blocks(Walk& at, char const* prefix, stack_config const& stack, Stacks&... of) {
  (detail::resize_stack(of, static_cast<std::size_t>(stack.depth)), ...);
  for (index_t i = 0; i < stack.depth; ++i) {
    at.enter(prefix, i);
    walk_block(at, stack, of[static_cast<std::size_t>(i)]...);
    at.leave();
  }
}

/// What the final norm is of: every token, or what is pooled of them, as in models that were
/// fine-tuned on the mean (the official code's and timm's fc_norm).
enum class norm_place : std::uint8_t { tokens, pooled };

/// The encoder's part but for its final norm, under the names of the official code and of timm.
template <class Walk, class... Encoders>
constexpr void walk_blocks_of_encoder(Walk& at, model_config const& config, Encoders&... of) {
  index_t const width = config.encoder.width;
  at.token("cls_token", width, of.class_token...);
  at.positions("pos_embed", config.num_patches(), width, of.positions...);
  at.patch_projection("patch_embed.proj", config, of.patch_embed...);
  walk_blocks(at, "blocks.", config.encoder, of.blocks...);
}

/// All of the encoder's part.
template <class Walk, class... Encoders>
constexpr void walk_encoder(Walk& at, model_config const& config, Encoders&... of) {
  walk_blocks_of_encoder(at, config, of...);
  at.norm("norm", config.encoder.width, of.norm...);
}

namespace detail {

/// Counts the values of the tensors that it is told of.
struct value_count {
  index_t values = 0;

  constexpr void begin(std::string_view /*segment*/) {}
  constexpr void enter(char const* /*stack*/, index_t /*block*/) {}
  constexpr void leave() {}
  constexpr void norm(char const* /*name*/, index_t width) { values += 2 * width; }
  constexpr void linear(char const* /*name*/, index_t out, index_t in) { values += out * (in + 1); }
  constexpr void token(char const* /*name*/, index_t width) { values += width; }
  constexpr void positions(char const* /*name*/, index_t patches, index_t width) {
    values += (patches + 1) * width;
  }
  constexpr void table(char const* /*name*/, index_t rows, index_t width) {
    values += rows * width;
  }
  constexpr void patch_projection(char const* name, model_config const& config) {
    linear(name, config.encoder.width, config.patch_values());
  }
};

}  // namespace detail

/// The values in an encoder, table of positions included: 86 million in a ViT-B.
constexpr index_t encoder_parameter_count(model_config const& config) {
  detail::value_count count;
  walk_encoder(count, config);
  return count.values;
}

}  // namespace mae
