#pragma once

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// Hides rectangles of patches until the share is reached (block-wise masking: BEiT, Bao et al.
/// 2021, algorithm 1): each of at least a twelfth of the grid, with sides in a ratio drawn
/// log-uniformly from [0.3, 1 / 0.3], anywhere in the grid; of the last, what would be too much is
/// seen, from its bottom up. Exactly the share is hidden, counted as a uniform mask counts it.
class block_mask {
 public:
  /// Throws config_error unless 0 < ratio < 1.
  constexpr explicit block_mask(double ratio)
      : ratio_(checked_ratio("block mask: the ratio", ratio)) {}

  constexpr index_t max_visible(index_t patches) const {
    return split_by_ratio(patches, ratio_).visible;
  }
  constexpr mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    return split_by_ratio(image.patches.rows, ratio_);
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    std::fill(scores.begin(), scores.end(), 0.0F);
    index_t left = split_by_ratio(image.patches.rows, ratio_).target;
    // The scores of what is hidden fall from N: the first are hidden in any case.
    auto next = static_cast<float>(scores.size());
    while (left > 0) {
      auto const block = random_block(image, left, random);
      for (index_t row = block.top; row < block.top + block.rows; ++row)
        for (index_t column = block.left; column < block.left + block.columns; ++column) {
          float& score = scores[static_cast<std::size_t>(row * image.grid_columns + column)];
          if (score > 0.0F) continue;
          score = next--;
          --left;
        }
    }
  }
  settings_list settings() const {
    return {{"mask", "block"}, {"mask_ratio", decimal_text(ratio_)}};
  }

 private:
  struct rectangle {
    index_t top = 0;
    index_t left = 0;
    index_t rows = 0;
    index_t columns = 0;
  };

  static rectangle random_block(mask_context const& image, index_t left, random_stream& random) {
    constexpr double narrowest = 0.3;
    auto const least = static_cast<double>(image.patches.rows) / 12;
    double const area =
        std::lerp(least, std::max(least, static_cast<double>(left)), random.uniform_double());
    double const aspect = std::exp(std::log(narrowest) * (1 - 2 * random.uniform_double()));
    auto const side = [](double length, index_t most) {
      return std::clamp<index_t>(std::lround(length), 1, most);
    };
    index_t const rows = side(std::sqrt(area * aspect), image.grid_rows);
    index_t const columns = side(std::sqrt(area / aspect), image.grid_columns);
    auto const begin = [&random](index_t room) {
      return static_cast<index_t>(random.below(static_cast<std::uint64_t>(room) + 1));
    };
    index_t const top = begin(image.grid_rows - rows);
    return {top, begin(image.grid_columns - columns), rows, columns};
  }

  double ratio_;
};
static_assert(MaskPolicy<block_mask>);

}  // namespace mae
