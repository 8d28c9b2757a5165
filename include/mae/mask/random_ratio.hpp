#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <cmath>
#include <span>

namespace mae {

/// The least and the greatest share of hidden patches that may be drawn.
struct ratio_range {
  double low = 0.60;
  double high = 0.90;
};

/// A uniform mask whose ratio is drawn anew for every image, uniformly from a range (R2MAE):
/// `random_ratio_mask{{.low = 0.6, .high = 0.9}}`.
class random_ratio_mask {
 public:
  /// Throws config_error unless 0 < low <= high < 1.
  constexpr explicit random_ratio_mask(ratio_range const& range)
      : range_{checked_ratio("random ratio mask: the lowest ratio", range.low),
               checked_ratio("random ratio mask: the highest ratio", range.high)} {
    if (range.low > range.high)
      throw config_error("random ratio mask: the lowest ratio is above the highest");
  }

  constexpr index_t max_visible(index_t patches) const {
    return split_by_ratio(patches, range_.low).visible;
  }
  mask_counts counts(mask_context const& image, random_stream& random) const {
    double const ratio = std::lerp(range_.low, range_.high, random.uniform_double());
    return split_by_ratio(image.patches.rows, ratio);
  }
  void score(mask_context const& /*image*/, random_stream& random, std::span<float> scores) const {
    score_noise(random, scores);
  }
  settings_list settings() const {
    return {{"mask", "random"},
            {"mask_low", decimal_text(range_.low)},
            {"mask_high", decimal_text(range_.high)}};
  }

 private:
  ratio_range range_;
};
static_assert(MaskPolicy<random_ratio_mask>);

}  // namespace mae
