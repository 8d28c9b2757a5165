#pragma once

#include "terminal.hpp"

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>

#include <functional>
#include <vector>

namespace pretrain {

/// What encodes images part after part, with a look at Ctrl-C and the time between two.
struct part_encoder {
  /// Features (size, width) of `size` images from `first` on.
  std::function<std::vector<float>(mae::index_t first, mae::index_t size)> features;
  mae::index_t images;  // of a part
};

/// The images of a part, of `tokens` each: eight shards for every worker, so that none waits long
/// for another at its end, and that small models on few cores are asked several times a second.
template <mae::Backend B>
mae::index_t images_of_part(B const& backend, mae::index_t tokens) {
  return 8 * backend.num_workers() * B::shards.images_of(tokens);
}

/// Features (count, width) of the first `count` images; shows progress and the time left. Ends
/// early, with the features that there are, when `should_stop`.
std::vector<float> encode_in_parts(mae::index_t count,
                                   part_encoder const& part,
                                   progress_line& progress,
                                   std::function<bool()> const& should_stop);

}  // namespace pretrain
