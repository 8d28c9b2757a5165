#pragma once

#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <span>
#include <string>

namespace mae {

/// Stands in for the ratio of a uniform mask that learns it at run time.
inline constexpr ratio ratio_at_run_time{0, 1};

namespace detail {

/// A share of hidden patches that is part of the type, in whole numbers.
template <ratio hidden>
struct uniform_share {
  static_assert(0 < hidden.numerator && hidden.numerator < hidden.denominator,
                "mae: a mask's ratio must lie between 0 and 1, both excluded");

  static constexpr index_t visible(index_t patches) {
    return patches * (hidden.denominator - hidden.numerator) / hidden.denominator;
  }
  static std::string text() {
    return std::to_string(hidden.numerator) + "/" + std::to_string(hidden.denominator);
  }
};

/// A share of hidden patches that is known at run time, in the official code's arithmetic.
template <>
struct uniform_share<ratio_at_run_time> {
  double ratio = 0.75;

  constexpr index_t visible(index_t patches) const { return visible_count(patches, ratio); }
  std::string text() const { return decimal_text(ratio); }
};

}  // namespace detail

/// Hides the same share of every image, all patches alike (He et al. 2021, section 3).
///
/// `uniform_mask<ratio{3, 4}>` has the ratio in its type: floor(N / 4) patches stay visible.
/// `uniform_mask<>{0.75}` has it at run time: int(N * (1 - 0.75)) stay, computed in double as in
/// the official code. The two differ where double arithmetic does: of 100 patches, a ratio of 9/10
/// keeps 10 and 0.9 keeps 9. Either count is at least 1 and at most N - 1.
template <ratio hidden = ratio_at_run_time>
class uniform_mask {
 public:
  constexpr uniform_mask() = default;
  /// Throws config_error unless 0 < ratio < 1.
  constexpr explicit uniform_mask(double ratio) requires(hidden == ratio_at_run_time)
      : share_{checked_ratio("uniform mask: the ratio", ratio)} {}

  constexpr index_t max_visible(index_t patches) const {
    return split_patches(patches, share_.visible(patches)).visible;
  }
  constexpr mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    return split_patches(image.patches.rows, share_.visible(image.patches.rows));
  }
  void score(mask_context const& /*image*/, random_stream& random, std::span<float> scores) const {
    score_noise(random, scores);
  }
  settings_list settings() const { return {{"mask", "uniform"}, {"mask_ratio", share_.text()}}; }

 private:
  [[no_unique_address]] detail::uniform_share<hidden> share_;
};
static_assert(MaskPolicy<uniform_mask<ratio{3, 4}>> && MaskPolicy<uniform_mask<>>);

}  // namespace mae
