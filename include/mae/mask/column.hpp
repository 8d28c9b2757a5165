#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Hides whole columns of patches, drawn anew for each image: where columns are times, all that
/// happened then. As many stay as come closest to the share; one at least stays, one is hidden.
class column_mask {
 public:
  /// For grids of so many columns. Throws config_error unless 0 < ratio < 1 and there are two.
  column_mask(double ratio, index_t columns)
      : ratio_(checked_ratio("column mask: the ratio", ratio)), columns_(columns) {
    if (columns < 2)
      throw config_error("column mask: of a grid of " + std::to_string(columns) +
                         " columns none can be hidden and another seen");
    double const shown = static_cast<double>(columns) * (1 - ratio);
    visible_ = split_patches(columns, std::lround(shown)).visible;
  }

  index_t max_visible(index_t patches) const { return patches / columns_ * visible_; }
  /// Throws config_error for an image whose grid has another number of columns.
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    if (image.grid_columns != columns_)
      throw config_error("column mask: made for " + std::to_string(columns_) +
                         " columns of patches, an image has " + std::to_string(image.grid_columns));
    index_t const visible = max_visible(image.patches.rows);
    return {visible, image.patches.rows - visible};
  }
  void score(mask_context const& /*image*/, random_stream& random, std::span<float> scores) const {
    std::vector<float> of_columns(static_cast<std::size_t>(columns_));
    // Distinct, so that no two columns share what is to be cut between them.
    std::vector<std::size_t> order(of_columns.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      std::size_t const j = random.below(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    for (std::size_t i = 0; i < order.size(); ++i) of_columns[order[i]] = static_cast<float>(i);
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = of_columns[i % of_columns.size()];
  }
  settings_list settings() const {
    return {{"mask", "column"}, {"mask_ratio", decimal_text(ratio_)}};
  }

 private:
  double ratio_;
  index_t columns_;
  index_t visible_ = 0;  // columns
};
static_assert(MaskPolicy<column_mask>);

}  // namespace mae
