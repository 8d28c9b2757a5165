#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <span>
#include <vector>

namespace pretrain {

class chosen_objective;

/// What a few images ask of the decoder, and what it says.
struct target_sample {
  mae::index_t width = 0;               // of a target
  std::vector<float> targets = {};      // (images * N, width), of all patches
  std::vector<float> predictions = {};  // (W, width), of the plan's targets, in their order
};

/// The targets of all patches of images (count, H, W, C), normalised.
target_sample all_targets(chosen_objective const& objective,
                          mae::model_config const& config,
                          std::span<float const> images,
                          mae::index_t count);

}  // namespace pretrain
