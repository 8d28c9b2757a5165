#pragma once

#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <span>

namespace mae {

/// What became of one image that a policy masked.
struct mask_feedback {
  mask_context const& image;             // as the policy saw it when it drew the mask
  std::span<patch_index const> visible;  // ascending
  std::span<patch_index const> targets;  // ascending
  std::span<float const> losses;         // of the targets, as the painter reports them
  index_t sample = 0;                    // its place among the step's samples, of all processes
  /// Where the policy asks for them: of each visible patch the slope of the image's summed loss by
  /// a factor on its embedded values (before its position is added), at 1. Other heads' losses
  /// count as they do for the encoder; where a rule settles conflicts between heads, not at all.
  std::span<float const> slopes = {};
};

/// Optional, of a policy that learns: `asks_slopes()`, whether mask_feedback is to have slopes;
/// `weighs_targets()`, whether each target's loss counts by a weight, and then `weigh(image,
/// targets, weights)`, which writes an image's: finite and not below 0. The loss is the sum of the
/// weighed losses over the sum of weights; what a policy is told stays as it is;
/// `needs_squared_losses()`, whether it takes the losses for squared errors: a painter that is
/// known to have others is refused.
template <class M>
constexpr bool asks_slopes(M const& mask) {
  if constexpr (requires { mask.asks_slopes(); })
    return mask.asks_slopes();
  else
    return false;
}
template <class M>
constexpr bool weighs_targets(M const& mask) {
  if constexpr (requires { mask.weighs_targets(); })
    return mask.weighs_targets();
  else
    return false;
}

template <class M>
constexpr bool needs_squared_losses(M const& mask) {
  if constexpr (requires { mask.needs_squared_losses(); })
    return mask.needs_squared_losses();
  else
    return false;
}

/// A policy that learns from the losses of what it hid: by a gradient of whatever it minimises,
/// which the library sums over the images of a step as it sums the network's, so that threads and
/// processes change no bit.
///
/// `add_gradient(told, sums)` adds an image's part to `num_sums()` sums, with the values by which
/// that image's mask was drawn; it is called from several threads at once. `update(sums, images)`
/// changes the policy by the sums over a step's images, and is called with a delay that is part of
/// the definition: those of step t when the last mask of step t + 1 is drawn, before the first of
/// t + 2. A step that is left out (not finite) tells nothing. Nor does a view that is not painted;
/// where a share of the hidden patches is predicted, targets and losses are of those alone.
///
/// `state_names` are the arrays that the policy learns or keeps, `state(k)` their values, whose
/// numbers stay: files keep them as mask.NAME, and a resume puts them back. A policy that draws by
/// anything else that changes cannot be resumed.
template <class M>
concept LearningMask = MaskPolicy<M> && requires(M const& mask,
                                                 M& changed,
                                                 mask_feedback const& told,
                                                 std::span<double> sums,
                                                 std::span<double const> all,
                                                 index_t images,
                                                 std::size_t k) {
  { mask.num_sums() } -> std::same_as<index_t>;
  { mask.add_gradient(told, sums) } -> std::same_as<void>;
  { changed.update(all, images) } -> std::same_as<void>;
  { *std::begin(mask.state_names) } -> std::convertible_to<char const*>;
  { mask.state(k) } -> std::same_as<std::span<float const>>;
  { changed.state(k) } -> std::same_as<std::span<float>>;
};

/// Whether a policy learns: at run time, since one that wraps others may wrap one that does not.
/// Such a policy has no sums and no state; it is trained, and saved, as one that cannot learn.
template <MaskPolicy M>
constexpr bool learns(M const& mask) {
  if constexpr (LearningMask<M>)
    return mask.num_sums() > 0;
  else
    return false;
}

namespace detail {

/// A policy that has one of the members by which masks learn is meant to.
template <class M>
inline constexpr bool means_to_learn = requires {
  &M::num_sums;
}
|| requires {
  &M::add_gradient;
}
|| requires {
  &M::update;
}
|| requires(M const& mask) {
  mask.asks_slopes();
}
|| requires(M const& mask) {
  mask.weighs_targets();
};

/// Does not compile for a policy that lacks the others: it would draw masks and never learn.
template <LearningMask M>
constexpr void require_learning() {}

}  // namespace detail

}  // namespace mae
