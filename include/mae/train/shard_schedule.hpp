#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>

#include <algorithm>

namespace mae {

/// How a batch is cut: into shards of some images, whose gradients are added in order to one of a
/// few partial sums. Depends on configuration and batch, never on the number of threads: it
/// decides the bits of the result.
struct shard_schedule {
  index_t images = 0;  // B
  index_t shards = 1;
  index_t sums = 1;  // the entry `lanes` of training files

  /// The images of the largest shard.
  constexpr index_t per_shard() const { return ceil_div(images, shards); }
  /// The shards of a sum: [first_shard(sum), first_shard(sum + 1)).
  constexpr index_t first_shard(index_t sum) const { return sum * shards / sums; }
  constexpr index_t first_image(index_t shard) const { return shard * images / shards; }

  friend constexpr bool operator==(shard_schedule const&, shard_schedule const&) = default;
};

/// The schedule of a batch of `images` of at most `tokens` encoder rows each, for gradients of
/// `gradient_bytes`: within the backend's limits, and at most 1 GiB of gradients. Sums are of
/// as many images each, so that none waits for another.
constexpr shard_schedule schedule_shards(index_t images,
                                         index_t tokens,
                                         index_t gradient_bytes,
                                         shard_limits const& limits) {
  constexpr index_t most_bytes = index_t{1} << 30;
  index_t const shards = ceil_div(images, limits.images_of(tokens));
  index_t const sums =
      std::min({limits.sums, shards, std::max<index_t>(1, most_bytes / gradient_bytes)});
  return {.images = images, .shards = std::min(images, round_up(shards, sums)), .sums = sums};
}

}  // namespace mae
