#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/network/shard.hpp>

#include <algorithm>

namespace mae {

/// The rows that a workspace has room for. Sized by the plan of a batch, not by the policy, so that
/// a policy's bound only decides how often memory grows.
struct shard_capacity {
  index_t images = 0;
  index_t visible = 0;
  index_t targets = 0;
  index_t encoder_rows = 0;
  index_t decoder_rows = 0;
  index_t longest_encoder_sequence = 0;
  index_t longest_decoder_sequence = 0;

  static shard_capacity of(shard_view const& shard) {
    return {.images = shard.images,
            .visible = shard.num_visible(),
            .targets = shard.num_targets(),
            .encoder_rows = shard.encoder_rows(),
            .decoder_rows = shard.decoder_rows(),
            .longest_encoder_sequence = shard.encoder_offsets.longest(),
            .longest_decoder_sequence = shard.decoder_offsets.longest()};
  }

  /// What images with so many visible patches and targets in all take up, but for the longest
  /// sequences.
  static shard_capacity exactly(index_t images, index_t visible, index_t targets) {
    return {.images = images,
            .visible = visible,
            .targets = targets,
            .encoder_rows = visible + images,
            .decoder_rows = visible + targets + images};
  }

  /// Room for `images` images of which at most `max_visible` patches each are seen.
  static shard_capacity bound(model_config const& config,
                              index_t images,
                              index_t max_visible,
                              predicted_patches predicted = predicted_patches::targets) {
    index_t const patches = config.num_patches();
    bool const all = predicted == predicted_patches::all_present;
    return {.images = images,
            .visible = images * max_visible,
            .targets = images * (all ? patches : patches - 1),
            .encoder_rows = images * (max_visible + 1),
            .decoder_rows = images * (patches + 1),
            .longest_encoder_sequence = max_visible + 1,
            .longest_decoder_sequence = patches + 1};
  }

  bool covers(shard_capacity const& other) const { return larger(other) == *this; }

  /// Room for whatever fits in either.
  shard_capacity larger(shard_capacity const& other) const {
    return {.images = std::max(images, other.images),
            .visible = std::max(visible, other.visible),
            .targets = std::max(targets, other.targets),
            .encoder_rows = std::max(encoder_rows, other.encoder_rows),
            .decoder_rows = std::max(decoder_rows, other.decoder_rows),
            .longest_encoder_sequence =
                std::max(longest_encoder_sequence, other.longest_encoder_sequence),
            .longest_decoder_sequence =
                std::max(longest_decoder_sequence, other.longest_decoder_sequence)};
  }

  friend bool operator==(shard_capacity const&, shard_capacity const&) = default;
};

/// The largest of a part's products, for whose room a lane is asked before the first.
struct product_extents {
  index_t width = 0;  // of depth and columns
  index_t rows = 0;
  index_t tokens = 0;  // of attention's longest sequence

  product_extents larger(product_extents const& other) const {
    return {
        std::max(width, other.width), std::max(rows, other.rows), std::max(tokens, other.tokens)};
  }
};

}  // namespace mae
