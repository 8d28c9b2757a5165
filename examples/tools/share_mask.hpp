#pragma once

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/none.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/uniform.hpp>

#include <span>

namespace tools {

/// Hides a share of each image's patches, all alike, or none: which of mae's two policies it is, is
/// known at run time.
struct share_mask {
  double hidden = 0;  // in [0, 1)

  mae::index_t max_visible(mae::index_t patches) const {
    return hides() ? uniform().max_visible(patches) : mae::no_mask::max_visible(patches);
  }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& random) const {
    return hides() ? uniform().counts(image, random) : mae::no_mask::counts(image, random);
  }
  void score(mae::mask_context const& image,
             mae::random_stream& random,
             std::span<float> scores) const {
    hides() ? uniform().score(image, random, scores) : mae::no_mask::score(image, random, scores);
  }
  mae::settings_list settings() const {
    return hides() ? uniform().settings() : mae::no_mask::settings();
  }

 private:
  bool hides() const { return hidden > 0; }
  mae::uniform_mask<> uniform() const { return mae::uniform_mask<>(hidden); }
};
static_assert(mae::MaskPolicy<share_mask>);

}  // namespace tools
