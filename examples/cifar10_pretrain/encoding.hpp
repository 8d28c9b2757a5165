#pragma once

#include "terminal.hpp"

#include <mae/core/types.hpp>

#include <functional>
#include <vector>

namespace pretrain {

/// Features (size, width) of `size` images from `first` on.
using part_encoder = std::function<std::vector<float>(mae::index_t first, mae::index_t size)>;

/// Images that are encoded between two looks at the clock.
inline constexpr mae::index_t images_at_once = 64;

/// Features (count, width) of the first `count` images, in parts of `images_at_once`; shows
/// progress and the time left. Ends early, with the features that there are, when `should_stop`.
std::vector<float> encode_in_parts(mae::index_t count,
                                   part_encoder const& encode,
                                   progress_line& progress,
                                   std::function<bool()> const& should_stop);

}  // namespace pretrain
