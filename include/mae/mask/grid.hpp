#pragma once

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// Shows patches at even distances (grid-wise sampling: He et al. 2021, section 4.1): with 75%
/// hidden, one of every 2 x 2. Where the pattern begins is drawn for each image.
///
/// Patches are ordered as in Bayer's matrix (1973) of 2^k x 2^k, not smaller than the grid: the
/// first N / 4^j of it are one of every 2^j x 2^j, and those between lie as evenly as can be, so
/// that every ratio is one of its beginnings.
class grid_mask {
 public:
  /// Throws config_error unless 0 < ratio < 1.
  constexpr explicit grid_mask(double ratio)
      : ratio_(checked_ratio("grid mask: the ratio", ratio)) {}

  constexpr index_t max_visible(index_t patches) const {
    return split_by_ratio(patches, ratio_).visible;
  }
  constexpr mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    return split_by_ratio(image.patches.rows, ratio_);
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    std::uint32_t bits = 0;
    while (index_t{1} << bits < image.grid_rows || index_t{1} << bits < image.grid_columns) ++bits;
    std::uint32_t const side = 1U << bits;
    std::uint32_t const down = random.below(side);
    std::uint32_t const right = random.below(side);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      auto const row = static_cast<std::uint32_t>(static_cast<index_t>(i) / image.grid_columns);
      auto const column = static_cast<std::uint32_t>(static_cast<index_t>(i) % image.grid_columns);
      scores[i] = rank_of((row + down) % side, (column + right) % side, bits);
    }
  }
  settings_list settings() const {
    return {{"mask", "grid"}, {"mask_ratio", decimal_text(ratio_)}};
  }

 private:
  /// Where (row, column) stands in Bayer's order, a fraction of the matrix: two digits of base 4
  /// for each bit, the lowest bits first.
  static constexpr float rank_of(std::uint32_t row, std::uint32_t column, std::uint32_t bits) {
    float rank = 0.0F;
    float digit = 0.25F;
    for (std::uint32_t bit = 0; bit < bits; ++bit, digit *= 0.25F) {
      std::uint32_t const y = row >> bit & 1U;
      std::uint32_t const x = column >> bit & 1U;
      rank += digit * static_cast<float>(2 * (x ^ y) + y);
    }
    return rank;
  }

  double ratio_;
};
static_assert(MaskPolicy<grid_mask>);

}  // namespace mae
