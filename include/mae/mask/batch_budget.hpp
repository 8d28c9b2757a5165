#pragma once

#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>

#include <concepts>
#include <span>

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

namespace detail {

/// A policy that has one of the members by which masks count with their batch is meant to.
template <class M>
inline constexpr bool means_to_count_with_batch = requires {
  &M::counts_with_batch;
}
|| requires {
  &M::wish;
}
|| requires {
  &M::counts_of_batch;
};

/// Does not compile for a policy that lacks the others: it would count image by image.
template <BatchMask M>
constexpr void require_counting_with_batch() {}

}  // namespace detail

}  // namespace mae
