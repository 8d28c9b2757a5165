#pragma once

#include <mae/core/types.hpp>
#include <mae/optimizer/rule.hpp>

#include <limits>

namespace mae {

/// A depth that no encoder reaches.
inline constexpr index_t whole_encoder = std::numeric_limits<index_t>::max();

/// How tensors differ in what a step does to them. The defaults are pre-training's; the official
/// fine-tuning takes a layer decay of 0.65 to 0.75, and tokens do not decay.
struct update_groups {
  /// What is nearer to the pixels changes less (Clark et al. 2020, arXiv 2003.10555; as He et al.
  /// 2021): a tensor's learning rate is multiplied by layer_decay^(deepest - depth), where heads
  /// and the final norm are deepest.
  double layer_decay = 1;
  bool tokens_decay = true;  // class and mask tokens take part in weight decay
  /// The encoder's tensors of a depth below this stay as they are: 1, what embeds patches; i + 1,
  /// the first i blocks too; whole_encoder, all. A gradient's norm counts them still.
  index_t frozen = 0;
  double frozen_from = 0;  // the progress, in [0, 1], from which they stay; 0: from the first step

  friend bool operator==(update_groups const&, update_groups const&) = default;
};

/// Throws config_error unless 0 < layer_decay <= 1, 0 <= frozen and 0 <= frozen_from <= 1.
inline void require_valid(update_groups const& groups) {
  detail::require_that(groups.layer_decay > 0 && groups.layer_decay <= 1,
                       "the layer decay must lie in (0, 1]; 1 leaves all learning rates equal");
  detail::require_that(groups.frozen >= 0,
                       "the depth up to which an encoder is frozen must not "
                       "be negative; 0 freezes nothing");
  detail::require_that(groups.frozen_from >= 0 && groups.frozen_from <= 1,
                       "the progress from which an encoder is frozen must lie in [0, 1]");
}

}  // namespace mae
