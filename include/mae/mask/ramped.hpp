#pragma once

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

namespace mae {

/// How a ramp gets from one end to the other.
enum class ramp_shape {
  linear,  // at an even pace
  cosine,  // slow at both ends: half a cosine wave
};

/// The share of hidden patches at the beginning and at the end of a training.
struct ramp {
  double from = 0.60;
  double to = 0.85;
  ramp_shape shape = ramp_shape::linear;
};

/// A uniform mask whose ratio moves during the training: `ramped_mask{{.from = 0.6, .to = 0.85}}`.
class ramped_mask {
 public:
  /// Throws config_error unless both ends lie between 0 and 1.
  constexpr explicit ramped_mask(ramp const& over)
      : ramp_{checked_ratio("ramped mask: the ratio at the beginning", over.from),
              checked_ratio("ramped mask: the ratio at the end", over.to),
              over.shape} {}

  /// The hidden share when `progress`, in [0, 1], of the training is done.
  double ratio(double progress) const {
    double const done = std::clamp(progress, 0.0, 1.0);
    bool const cosine = ramp_.shape == ramp_shape::cosine;
    return std::lerp(
        ramp_.from, ramp_.to, cosine ? 0.5 - 0.5 * std::cos(std::numbers::pi * done) : done);
  }

  constexpr index_t max_visible(index_t patches) const {
    return split_by_ratio(patches, std::min(ramp_.from, ramp_.to)).visible;
  }
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    return split_by_ratio(image.patches.rows, ratio(image.progress));
  }
  void score(mask_context const& /*image*/, random_stream& random, std::span<float> scores) const {
    score_noise(random, scores);
  }
  settings_list settings() const {
    return {{"mask", "ramped"},
            {"mask_from", decimal_text(ramp_.from)},
            {"mask_to", decimal_text(ramp_.to)},
            {"mask_shape", ramp_.shape == ramp_shape::cosine ? "cosine" : "linear"}};
  }

 private:
  ramp ramp_;
};
static_assert(MaskPolicy<ramped_mask>);

}  // namespace mae
