#pragma once

#include "metrics.hpp"
#include "target_sample.hpp"

#include <mae/mask/plan.hpp>

#include <span>
#include <string>

namespace pretrain {

/// How varied targets and predictions are, of the same patches.
struct target_health {
  double target_variance = 0;      // the mean over a target's values of their variance
  double prediction_variance = 0;  // likewise
  double prediction_rank = 0;      // the effective rank of at most 256 centred predictions
};

/// Of a plan's targets. What is not finite makes figures that are not.
target_health measure_targets(target_sample const& sample, mae::mask_plan const& plan);

/// What has collapsed by the last of these records, in a sentence; empty where nothing has: targets
/// that are all alike, predictions or features that have become so.
std::string collapse_in(std::span<health_record const> records);

}  // namespace pretrain
