#pragma once

#include "padded_matrix.hpp"

#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/patch/patchify.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mae_test {

/// Nothing is square or even: 20 x 21 pixels of 4 channels, 12 patches of 5 x 7, 5 heads.
inline constexpr mae::model_config odd_config{
    .image = {.height = 20, .width = 21, .channels = 4},
    .patch = {.height = 5, .width = 7},
    .encoder = {.depth = 2, .width = 20, .heads = 5},
    .decoder = {.depth = 2, .width = 12, .heads = 3},
};

/// Standard normal images (n, H, W, C).
inline std::vector<float> random_images(mae::model_config const& config,
                                        index_t count,
                                        std::uint64_t seed) {
  auto random = stream_of(seed);
  std::vector<float> images(static_cast<std::size_t>(count * config.image.values()));
  for (float& value : images) value = static_cast<float>(random.normal());
  return images;
}

/// A random mask for each of the counts.
inline mae::mask_plan random_plan(mae::model_config const& config,
                                  std::vector<mae::mask_counts> const& counts,
                                  std::uint64_t seed) {
  auto random = stream_of(seed);
  mae::mask_plan plan(std::ssize(counts), config.num_patches());
  std::vector<float> scores(static_cast<std::size_t>(config.num_patches()));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    for (float& score : scores) score = random.uniform();
    plan.assign(static_cast<index_t>(i), counts[i], scores);
  }
  return plan;
}

/// The patches of images (n, H, W, C), one behind the other: (n N, P).
class cut_images {
 public:
  cut_images(mae::model_config const& config, std::span<float const> images)
      : config_(config), values_(images.size()) {
    auto const each = static_cast<std::size_t>(config.image.values());
    for (std::size_t at = 0; at < images.size(); at += each)
      mae::patchify(images.subspan(at, each),
                    config.image,
                    config.patch,
                    {values_.data() + at, config.num_patches(), config.patch_values()});
  }

  matrix_view<float const> all() const {
    return {values_.data(), std::ssize(values_) / config_.patch_values(), config_.patch_values()};
  }
  matrix_view<float const> of(index_t image) const {
    return all().middle_rows(image * config_.num_patches(), config_.num_patches());
  }

 private:
  mae::model_config config_;
  std::vector<float> values_;
};

}  // namespace mae_test
