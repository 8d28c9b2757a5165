#pragma once

#include <mae/core/error.hpp>
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

/// The share of hidden patches at the beginning and at the end of a training, and between which
/// parts of it the one becomes the other.
struct ramp {
  double from = 0.60;
  double to = 0.85;
  ramp_shape shape = ramp_shape::linear;
  double begins = 0;  // progress, in [0, 1]
  double ends = 1;    // likewise, not before; the same: a jump
};

/// A uniform mask whose ratio moves during the training: `ramped_mask{{.from = 0.6, .to = 0.85}}`.
class ramped_mask {
 public:
  /// Throws config_error unless both ends lie between 0 and 1, and 0 <= begins <= ends <= 1.
  constexpr explicit ramped_mask(ramp const& over)
      : ramp_{checked_ratio("ramped mask: the ratio at the beginning", over.from),
              checked_ratio("ramped mask: the ratio at the end", over.to),
              over.shape,
              over.begins,
              over.ends} {
    if (!(over.begins >= 0 && over.begins <= over.ends && over.ends <= 1)) refuse_times();
  }

  /// The hidden share when `progress`, in [0, 1], of the training is done.
  double ratio(double progress) const {
    double const length = ramp_.ends - ramp_.begins;
    double const past = progress - ramp_.begins;
    double const done = length > 0 ? std::clamp(past / length, 0.0, 1.0) : past >= 0 ? 1.0 : 0.0;
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
            {"mask_shape", ramp_.shape == ramp_shape::cosine ? "cosine" : "linear"},
            {"mask_over", decimal_text(ramp_.begins) + "," + decimal_text(ramp_.ends)}};
  }

 private:
  [[noreturn]] static void refuse_times() {
    throw config_error(
        "ramped mask: it must begin and end within the training, 0 <= begins <= "
        "ends <= 1");
  }

  ramp ramp_;
};
static_assert(MaskPolicy<ramped_mask>);

}  // namespace mae
