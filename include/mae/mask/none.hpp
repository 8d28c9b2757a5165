#pragma once

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <span>

namespace mae {

/// Hides nothing: for heads that learn from whole images, as a classifier does in fine-tuning. A
/// painter has nothing to learn then, but where noise is added (training_options::noise) and
/// visible patches are its targets (painter::visible_weight).
struct no_mask {
  static constexpr index_t max_visible(index_t patches) { return patches; }
  static constexpr mask_counts counts(mask_context const& image, random_stream& /*random*/) {
    return {image.patches.rows, 0};
  }
  static void score(mask_context const& /*image*/,
                    random_stream& /*random*/,
                    std::span<float> scores) {
    for (float& score : scores) score = 0;
  }
  static settings_list settings() { return {{"mask", "none"}}; }
};
static_assert(MaskPolicy<no_mask>);

}  // namespace mae
