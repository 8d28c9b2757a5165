#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/train/batch_options.hpp>

#include <algorithm>
#include <cmath>

namespace mae {

/// Leaves an image of a plan those of its targets that a training is to predict: a share of the
/// hidden patches, rounded, one at least (CrossMAE, Fu et al. 2024, arXiv 2401.14391); or none, of
/// a view that is not painted. `key` names the image and its view. Masks stay what they are.
inline void choose_targets(mask_plan& plan,
                           index_t image,
                           batch_options const& options,
                           stream_key const& key) {
  index_t const hidden = plan.counts(image).target;
  bool const is_painted = options.painted_views == 0 || key.view < options.painted_views;
  if (hidden == 0 || (is_painted && options.predicted_share == 1)) return;
  auto const share = std::llround(options.predicted_share * static_cast<double>(hidden));
  random_stream random(key);
  plan.keep_targets(image, is_painted ? std::max<index_t>(1, share) : 0, random);
}

}  // namespace mae
