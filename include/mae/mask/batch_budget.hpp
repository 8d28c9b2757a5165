#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>

namespace mae {

/// A policy whose counts in an image depend on the images beside it. `wish(image)` is what the
/// policy would show of an image, called from several threads at once; `counts_of_batch(wishes,
/// patches, visible)` decides how many of each image's patches are visible. A batch is all of an
/// accumulated batch's samples, in their order: every process wishes for all of them, also those
/// that others train on, so that all draw the same masks; what depends on what a process has
/// loaded alone would not. `counts` is for images that stand alone, as a picture of a mask.
template <class M>
concept BatchMask = MaskPolicy<M> && requires(M const& mask,
                                              mask_context const& image,
                                              std::span<double const> wishes,
                                              index_t patches,
                                              std::span<index_t> visible) {
  { mask.counts_with_batch() } -> std::same_as<bool>;
  { mask.wish(image) } -> std::same_as<double>;
  { mask.counts_of_batch(wishes, patches, visible) } -> std::same_as<void>;
};

/// Whether a policy counts with the batch: at run time, as `learns`.
template <MaskPolicy M>
constexpr bool counts_with_batch(M const& mask) {
  if constexpr (BatchMask<M>)
    return mask.counts_with_batch();
  else
    return false;
}

/// Whole numbers in [1, patches - 1] near to `wishes`, whose sum is `total`, exactly: all wishes
/// are moved by one number, which is found by bisection, and cut to the interval; what remains of
/// rounding an image is handed on to the next. Throws config_error for a total that no such numbers
/// have.
inline void meet_budget(std::span<double const> wishes,
                        index_t patches,
                        index_t total,
                        std::span<index_t> visible) {
  auto const images = static_cast<index_t>(wishes.size());
  if (total < images || total > images * (patches - 1))
    throw config_error("a budget of " + std::to_string(total) + " visible patches of " +
                       std::to_string(images) + " images of " + std::to_string(patches) +
                       " patches: each must show one and hide one; take another ratio");
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

}  // namespace mae
