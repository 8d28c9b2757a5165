#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/log_information.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace mae {

/// What a saliency mask is made of.
struct saliency_options {
  double strength = 0.5;  // beta: > 0 hides busy patches less often, < 0 more often, 0 is uniform
  double ratio = 0.75;    // the hidden share of an image of average information
  double swing = 0.10;    // the busiest images hide this much less, the plainest this much more
  saliency_statistics training = {};  // from measure_saliency
};

/// Hides patches by the information they hold, and less of an image that holds more.
///
/// A patch's log-information s_i is standardised over its image and clipped to +-2: z_i. With u_i
/// uniform, the score -log(1 - u_i) exp(-beta z_i) samples without replacement with weights
/// exp(beta z_i) (Efraimidis and Spirakis 2006). The hidden share of an image is
/// ratio - swing tanh((mean s - mean) / deviation), and round(N (1 - share)) patches stay visible.
/// With beta = 0 the image has no say: the mask is the uniform one of the same seed, bit for bit.
class saliency_mask {
 public:
  /// Throws config_error where the ratio, moved by the swing, leaves (0, 1), where a field is not
  /// finite, or where a swing comes without a positive measured deviation.
  explicit saliency_mask(saliency_options const& options) : options_(options) {
    if (!std::isfinite(options.strength))
      throw config_error("saliency mask: the strength is not a finite number");
    if (!(options.swing >= 0.0)) throw config_error("saliency mask: the swing is negative");
    checked_ratio("saliency mask: the ratio less the swing", options.ratio - options.swing);
    checked_ratio("saliency mask: the ratio plus the swing", options.ratio + options.swing);
    if (!std::isfinite(options.training.mean) || !std::isfinite(options.training.deviation))
      throw config_error("saliency mask: the training set's statistics are not finite numbers");
    if (options.swing > 0.0 && !(options.training.deviation > 0.0))
      throw config_error(
          "saliency mask: the training set's statistics have no deviation; take them from "
          "measure_saliency, or set the swing to 0 where all images hold equal information");
  }

  saliency_options const& options() const { return options_; }

  index_t max_visible(index_t patches) const {
    return is_uniform() ? split_by_ratio(patches, options_.ratio).visible
                        : split_rounded(patches, options_.ratio - options_.swing).visible;
  }
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    index_t const patches = image.patches.rows;
    if (is_uniform()) return split_by_ratio(patches, options_.ratio);
    if (options_.swing == 0.0) return split_rounded(patches, options_.ratio);
    auto const& [mean, deviation] = options_.training;
    double const information = mean_log_information(image.patches, image.channels);
    return split_rounded(
        patches, options_.ratio - options_.swing * std::tanh((information - mean) / deviation));
  }

  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    if (is_uniform()) return score_noise(random, scores);
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = static_cast<float>(
          log_information(image.patches.row(static_cast<index_t>(i)), image.channels));
    standardise(scores);
    for (float& score : scores) {
      double const time = -std::log1p(-static_cast<double>(random.uniform()));
      score = static_cast<float>(time * std::exp(-options_.strength * score));
    }
  }

  settings_list settings() const {
    return {{"mask", "saliency"},
            {"saliency_strength", decimal_text(options_.strength)},
            {"mask_ratio", decimal_text(options_.ratio)},
            {"saliency_swing", decimal_text(options_.swing)},
            {"saliency_mean", decimal_text(options_.training.mean)},
            {"saliency_deviation", decimal_text(options_.training.deviation)}};
  }

 private:
  bool is_uniform() const { return options_.strength == 0.0; }

  static mask_counts split_rounded(index_t patches, double ratio) {
    return split_patches(patches, std::lround(static_cast<double>(patches) * (1.0 - ratio)));
  }

  /// Replaces every value by (value - mean) / deviation, clipped to +-2; by 0 where the values
  /// differ by no more than the rounding of a float.
  static void standardise(std::span<float> values) {
    constexpr double rounding = 1e-5;
    constexpr double limit = 2.0;
    auto const count = static_cast<double>(values.size());
    double sum = 0.0;
    for (float const value : values) sum += value;
    double const mean = sum / count;
    double squares = 0.0;
    for (float const value : values) squares += (value - mean) * (value - mean);
    double const deviation = std::sqrt(squares / count);
    for (float& value : values)
      value = deviation < rounding
                  ? 0.0F
                  : static_cast<float>(std::clamp((value - mean) / deviation, -limit, limit));
  }

  saliency_options options_;
};
static_assert(MaskPolicy<saliency_mask>);

}  // namespace mae
