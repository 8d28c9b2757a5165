#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mask_images {

using mae::index_t;

constexpr index_t grid = 8;
constexpr index_t patches = grid * grid;
constexpr index_t channels = 3;
constexpr index_t patch_values = 48;  // 4 x 4 pixels of 3 channels

/// The patches of one made-up image (N, P) in [0, 1].
struct patched_image {
  std::vector<float> values = std::vector<float>(patches * patch_values);

  mae::mask_context context(std::uint64_t dataset_index = 0) const {
    return {.patches = {values.data(), patches, patch_values},
            .channels = channels,
            .grid_rows = grid,
            .grid_columns = grid,
            .patch_width = 4,
            .dataset_index = dataset_index};
  }
};

inline mae::random_stream mask_stream(std::uint64_t index, std::uint64_t seed = 1) {
  return mae::random_stream({.seed = seed, .use = mae::purpose::mask, .index = index});
}

/// The plan of one image under the stream of its index.
template <mae::MaskPolicy Mask>
mae::mask_plan plan_of(Mask const& mask, mae::mask_context const& context) {
  mae::mask_plan plan(1, context.patches.rows);
  std::vector<float> scores(static_cast<std::size_t>(context.patches.rows));
  mae::random_stream random = mask_stream(context.dataset_index);
  mae::plan_image(plan, 0, mask, context, random, scores);
  return plan;
}

/// The positions that a plan lists first.
inline std::vector<mae::patch_index> visible_positions(mae::mask_plan const& plan,
                                                       index_t image = 0) {
  return {plan.visible(image).begin(), plan.visible(image).end()};
}

}  // namespace mask_images
