#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>

#include <iterator>
#include <span>

namespace mae {

/// Draws what an image's residual branches are multiplied by, two of each block: stochastic depth
/// (Huang et al. 2016, arXiv 1603.09382) as timm's DropPath. A branch of block i of `depth` is
/// dropped (0) with probability p_i = rate * i / (depth - 1), 0 where there is one block, and else
/// multiplied by 1 / (1 - p_i), so that its mean stays. scales (2 depth); 0 <= rate < 1.
inline void drop_path_scales(stream_key const& key, double rate, std::span<float> scales) {
  random_stream random(key);
  index_t const last = std::ssize(scales) / 2 - 1;
  index_t branch = 0;
  for (float& scale : scales) {
    index_t const block = branch++ / 2;
    double const dropped =
        last > 0 ? rate * static_cast<double>(block) / static_cast<double>(last) : 0;
    scale = random.uniform_double() < dropped ? 0.0F : static_cast<float>(1.0 / (1.0 - dropped));
  }
}

}  // namespace mae
