#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mae {

/// What a policy may look at when it masks one image.
struct mask_context {
  matrix_view<float const> patches;  // (N, P), channel fastest; augmented, not yet normalised
  index_t channels = 0;              // of the image; P = patch height * patch width * channels
  index_t grid_rows = 0;
  index_t grid_columns = 0;
  index_t patch_width = 0;  // pixels to a row of a patch
  std::int64_t step = 0;    // optimizer steps done
  index_t epoch = 0;
  double progress = 0;  // of the whole training, in [0, 1]
  std::uint64_t dataset_index = 0;
  std::size_t head = 0;  // the first of the heads that learn from the plan: see per_head_mask
};

/// Decides how many patches of an image stay visible and which. The patches of lowest score stay;
/// sorting, ties and errors live once, in mask_plan.
///
/// `max_visible(patches)` bounds the visible count, so that training memory is known in advance.
/// The members are const and are called from several threads at once, one image each. `counts` is
/// called before `score`, on the same stream. Optional: `hides_nothing()`, of a policy that says at
/// run time whether it hides none, as no_mask; held-out images are whole then, too.
template <class M>
concept MaskPolicy = std::movable<M> && requires(M const& mask,
                                                 index_t patches,
                                                 mask_context const& image,
                                                 random_stream& random,
                                                 std::span<float> scores) {
  { mask.max_visible(patches) } -> std::same_as<index_t>;
  { mask.counts(image, random) } -> std::same_as<mask_counts>;
  { mask.score(image, random, scores) } -> std::same_as<void>;
};

/// The policy's max_visible, for which memory is taken. Throws config_error outside [1, patches].
template <MaskPolicy Mask>
index_t checked_max_visible(Mask const& mask, index_t patches) {
  index_t const most = mask.max_visible(patches);
  if (most < 1 || most > patches)
    throw config_error("the mask policy's max_visible says " + std::to_string(most) +
                       " visible patches of " + std::to_string(patches));
  return most;
}

/// Throws config_error for more visible patches than the policy's max_visible.
template <MaskPolicy Mask>
void require_room(Mask const& mask, index_t patches, index_t visible) {
  if (index_t const most = mask.max_visible(patches); visible > most)
    throw config_error("the mask policy shows " + std::to_string(visible) +
                       " patches of an image, more than its max_visible, " + std::to_string(most));
}

/// Plans one image of a batch by a policy. `scores` (N) is scratch memory. Throws config_error for
/// counts or scores that cannot be, and for more visible patches than the policy's max_visible.
template <MaskPolicy Mask>
void plan_image(mask_plan& plan,
                index_t image,
                Mask const& mask,
                mask_context const& context,
                random_stream& random,
                std::span<float> scores) {
  mask_counts const counts = mask.counts(context, random);
  require_room(mask, plan.patches(), counts.visible);
  mask.score(context, random, scores);
  plan.assign(image, counts, scores);
}

/// A visible count for `patches` patches of which the share `ratio` is hidden, in the official
/// code's double arithmetic: int(N * (1 - ratio)).
constexpr index_t visible_count(index_t patches, double ratio) {
  return static_cast<index_t>(static_cast<double>(patches) * (1.0 - ratio));
}

/// Independent U(0, 1) noise for each patch: the score of every policy that hides patches blindly.
inline void score_noise(random_stream& random, std::span<float> scores) {
  for (float& score : scores) score = random.uniform();
}

}  // namespace mae
