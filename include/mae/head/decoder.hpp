#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>

#include <string_view>

namespace mae {

/// The segment of a table of tensors that is the decoder's.
inline constexpr std::string_view decoder_segment = "decoder";

/// What a decoder is built for.
struct decoder_sizes {
  stack_config stack;
  index_t encoder_width = 0;  // D
  index_t patches = 0;        // N
  index_t target_width = 0;   // values predicted for a patch
  index_t levels = 0;         // of hidden patches' density that mask tokens are told; 0: none

  static constexpr decoder_sizes of(model_config const& config, index_t target_width) {
    return {.stack = config.decoder,
            .encoder_width = config.encoder.width,
            .patches = config.num_patches(),
            .target_width = target_width};
  }
};

/// The decoder's part, under the names of the official code.
template <class Walk, class... Decoders>
constexpr void walk_decoder(Walk& at, decoder_sizes const& sizes, Decoders&... of) {
  index_t const width = sizes.stack.width;
  at.linear("decoder_embed", width, sizes.encoder_width, of.embed...);
  at.token("mask_token", width, of.mask_token...);
  at.positions("decoder_pos_embed", sizes.patches, width, of.positions...);
  walk_blocks(at, "decoder_blocks.", sizes.stack, of.blocks...);
  at.norm("decoder_norm", width, of.norm...);
  at.linear("decoder_pred", sizes.target_width, width, of.head...);
  if (sizes.levels > 0) at.table(mask_levels_name, sizes.levels, width, of.levels...);
}

/// Adds the decoder's segment; `target_width` is the number of values predicted for a patch.
inline void add_decoder(parameter_layout& layout,
                        model_config const& config,
                        index_t target_width,
                        index_t levels = 0) {
  layout.begin(decoder_segment);
  detail::table_walk at(layout);
  auto sizes = decoder_sizes::of(config, target_width);
  sizes.levels = levels;
  walk_decoder(at, sizes);
}

/// The values in encoder and decoder, tables of positions included, as the official code counts
/// them: 111,907,840 for ViT-B.
constexpr index_t parameter_count(model_config const& config, index_t target_width) {
  detail::value_count count;
  walk_encoder(count, config);
  walk_decoder(count, decoder_sizes::of(config, target_width));
  return count.values;
}

}  // namespace mae
