#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/batch_budget.hpp>
#include <mae/mask/density_mask.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace mae {

/// Whole numbers in [1, patches - 1] near to `wishes`, whose sum is `total`, exactly: all wishes
/// are moved by one number, which is found by bisection, and cut to the interval; what remains of
/// rounding an image is handed on to the next. Throws config_error for a total that no such numbers
/// have, and for wishes that are not finite.
inline void meet_budget(std::span<double const> wishes,
                        index_t patches,
                        index_t total,
                        std::span<index_t> visible) {
  auto const images = static_cast<index_t>(wishes.size());
  if (total < images || total > images * (patches - 1))
    throw config_error("a budget of " + std::to_string(total) + " visible patches of " +
                       std::to_string(images) + " images of " + std::to_string(patches) +
                       " patches: each must show one and hide one; take another ratio");
  for (double const wish : wishes)
    if (!std::isfinite(wish))
      throw config_error(
          "a budget of visible patches: what a policy would show of an image is not a finite "
          "number");
  auto const most = static_cast<double>(patches - 1);
  auto const moved = [most](double wish, double by) { return std::clamp(wish + by, 1.0, most); };
  auto const goal = static_cast<double>(total);
  auto const reach = static_cast<double>(patches) + [&] {
    double furthest = 0;
    for (double const wish : wishes) furthest = std::max(furthest, std::abs(wish));
    return furthest;
  }();
  double low = -reach;  // where all show one
  double high = reach;  // where all hide one
  constexpr int halvings = 64;
  for (int i = 0; i < halvings; ++i) {
    double const by = (low + high) / 2;
    double sum = 0;
    for (double const wish : wishes) sum += moved(wish, by);
    (sum < goal ? low : high) = by;
  }
  double sum = 0;
  index_t before = 0;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    sum += moved(wishes[i], (low + high) / 2);
    bool const is_last = i + 1 == wishes.size();
    index_t const until = is_last ? total : std::lround(sum);
    visible[i] = until - before;
    before = until;
  }
}

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
    all.back() = {"mask_budget", "batch"};
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
