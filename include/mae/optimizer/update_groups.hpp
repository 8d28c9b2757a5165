#pragma once

#include <mae/optimizer/rule.hpp>

namespace mae {

/// How tensors differ in what a step does to them. The defaults are pre-training's; the official
/// fine-tuning takes a layer decay of 0.65 to 0.75, and tokens do not decay.
struct update_groups {
  /// What is nearer to the pixels changes less (Clark et al. 2020, arXiv 2003.10555; as He et al.
  /// 2021): a tensor's learning rate is multiplied by layer_decay^(deepest - depth), where heads
  /// and the final norm are deepest.
  double layer_decay = 1;
  bool tokens_decay = true;  // class and mask tokens take part in weight decay

  friend bool operator==(update_groups const&, update_groups const&) = default;
};

/// Throws config_error unless 0 < layer_decay <= 1.
inline void require_valid(update_groups const& groups) {
  detail::require_that(groups.layer_decay > 0 && groups.layer_decay <= 1,
                       "the layer decay must lie in (0, 1]; 1 leaves all learning rates equal");
}

}  // namespace mae
