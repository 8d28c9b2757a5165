#pragma once

#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/density.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/swung_share.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace mae {

/// What a density mask is made of.
struct density_mask_options {
  double ratio = 0.75;  // hidden share, on average over the training set
  double swing = 0.15;  // the densest image hides this much less, the plainest this much more;
                        // below 0 the reverse
  density_measure measure = density_measure::variance;
  density_quantiles training = {};  // from measure_density
};

/// Hides less of an image that is denser than others, under an exact budget: patches blindly.
///
/// With q the place of an image's density in the training set's distribution, in [0, 1], the hidden
/// share is ratio + swing (1 - 2 q). Since q is uniform over the training set, whatever the
/// measure, shares have the mean `ratio` there; the visible count is rounded up or down by a draw
/// with that mean. An image's mask depends on no other image of its batch, so that batches of any
/// size, and ranks, have the same; one batch's sum scatters about the budget.
class density_mask {
 public:
  /// Throws config_error where the ratio, moved by the swing, leaves (0, 1), and for quantiles that
  /// are fewer than 2, not finite or not in order.
  explicit density_mask(density_mask_options options) : options_(std::move(options)) {
    double const swing = std::abs(options_.swing);
    checked_ratio("density mask: the ratio less the swing", options_.ratio - swing);
    checked_ratio("density mask: the ratio plus the swing", options_.ratio + swing);
    auto const& quantiles = options_.training;
    bool right = quantiles.size() >= 2;
    for (std::size_t i = 0; i < quantiles.size(); ++i)
      right = right && std::isfinite(quantiles[i]) && (i == 0 || quantiles[i - 1] <= quantiles[i]);
    if (!right)
      throw config_error(
          "density mask: the training set's quantiles must be two or more finite numbers in "
          "ascending order; take them from measure_density");
  }

  density_mask_options const& options() const { return options_; }

  /// Throws config_error where an image would show less than a patch, or hide less than one: the
  /// ratio would not be the mean.
  index_t max_visible(index_t patches) const {
    return most_visible("density mask", options_.ratio, options_.swing, patches);
  }
  mask_counts counts(mask_context const& image, random_stream& random) const {
    return split_patches(image.patches.rows,
                         static_cast<index_t>(visible_of(image) + random.uniform_double()));
  }
  /// How many patches of an image stay visible, before that is a whole number.
  double visible_of(mask_context const& image) const {
    auto const density = static_cast<float>(image_density(options_.measure, image));
    double const place = place_among(options_.training, density);
    double const share = options_.ratio + options_.swing * (1 - 2 * place);
    return static_cast<double>(image.patches.rows) * (1 - share);
  }
  void score(mask_context const& /*image*/, random_stream& random, std::span<float> scores) const {
    score_noise(random, scores);
  }
  /// The quantiles by their hash: a resume refuses others.
  settings_list settings() const {
    return {{"mask", "density"},
            {"mask_ratio", decimal_text(options_.ratio)},
            {"mask_swing", decimal_text(options_.swing)},
            {"mask_measure", to_string(options_.measure)},
            {"mask_quantiles", hash_of_quantiles()},
            {"mask_budget", "training"}};
  }

 private:
  std::string hash_of_quantiles() const {
    xxh64 hash;
    hash.update(std::as_bytes(std::span(options_.training)));
    return std::to_string(hash.digest());
  }

  density_mask_options options_;
};
static_assert(MaskPolicy<density_mask>);

}  // namespace mae
