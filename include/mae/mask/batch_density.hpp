#pragma once

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/batch_budget.hpp>
#include <mae/mask/density_mask.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <cmath>
#include <span>
#include <utility>

namespace mae {

/// A density mask whose budget is that of every batch: of B samples of N patches exactly
/// round(B N ratio) are hidden. What density_mask would show of each image is moved by one number
/// of patches for all, and rounded so that the sum is met. An image's mask then depends on the
/// images beside it, so that batches of another size, or accumulated otherwise, have others;
/// threads and processes have the same.
class batch_density_mask {
 public:
  /// Throws as density_mask.
  explicit batch_density_mask(density_mask_options options) : alone_(std::move(options)) {}

  density_mask_options const& options() const { return alone_.options(); }

  /// Throws as density_mask.
  index_t max_visible(index_t patches) const {
    return alone_.max_visible(patches) > 0 ? patches - 1 : 0;
  }
  mask_counts counts(mask_context const& image, random_stream& random) const {
    return alone_.counts(image, random);
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    alone_.score(image, random, scores);
  }
  settings_list settings() const {
    auto all = alone_.settings();
    all.push_back({"mask_budget", "batch"});
    return all;
  }

  static constexpr bool counts_with_batch() { return true; }
  double wish(mask_context const& image) const { return alone_.visible_of(image); }
  /// Throws config_error where no counts within [1, N - 1] have the sum.
  void counts_of_batch(std::span<double const> wishes,
                       index_t patches,
                       std::span<index_t> visible) const {
    auto const all = static_cast<index_t>(wishes.size()) * patches;
    auto const hidden = std::lround(static_cast<double>(all) * options().ratio);
    meet_budget(wishes, patches, all - hidden, visible);
  }

 private:
  density_mask alone_;
};
static_assert(BatchMask<batch_density_mask>);

}  // namespace mae
