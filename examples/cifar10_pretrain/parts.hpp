#pragma once

#include "images.hpp"
#include "options.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/augment.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace pretrain {

/// The mask that the command line chose. One policy type for all of them means that a model is
/// compiled once; a program that needs one mask names it in the model's type.
class chosen_mask {
 public:
  using any = std::
      variant<mae::uniform_mask<>, mae::ramped_mask, mae::random_ratio_mask, mae::saliency_mask>;

  explicit chosen_mask(any const& mask) : mask_(mask) {}

  mae::index_t max_visible(mae::index_t patches) const {
    return std::visit([&](auto const& mask) { return mask.max_visible(patches); }, mask_);
  }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& random) const {
    return std::visit([&](auto const& mask) { return mask.counts(image, random); }, mask_);
  }
  void score(mae::mask_context const& image,
             mae::random_stream& random,
             std::span<float> scores) const {
    std::visit([&](auto const& mask) { mask.score(image, random, scores); }, mask_);
  }
  mae::settings_list settings() const {
    return std::visit([](auto const& mask) { return mask.settings(); }, mask_);
  }

 private:
  any mask_;
};
static_assert(mae::MaskPolicy<chosen_mask>);

/// Saliency measured on the training images as the training will see them, crops included.
inline mae::saliency_mask measured_saliency_mask(options const& settings,
                                                 image_set const& images,
                                                 mae::patch_extent const& patch,
                                                 mae::thread_pool& threads) {
  constexpr mae::index_t measured_images = 20'000;
  auto const extent = images.extent();
  auto const read = [&](mae::index_t index, std::span<float> pixels) {
    std::vector<float> stored(pixels.size());
    images.read(index, stored);
    mae::random_stream random({.seed = settings.seed,
                               .use = mae::purpose::augment,
                               .index = static_cast<std::uint64_t>(index)});
    mae::augmenter vary(extent, settings.augment);
    vary(stored, random, pixels);
  };
  return mae::saliency_mask(
      {.strength = settings.saliency_strength,
       .ratio = settings.mask_ratio,
       .training = mae::measure_saliency(
           std::min(images.size(), measured_images), extent, patch, read, threads)});
}

/// Makes the mask.
inline chosen_mask make_mask(options const& settings,
                             image_set const& images,
                             mae::patch_extent const& patch,
                             mae::thread_pool& threads) {
  switch (settings.mask) {
    case mask_choice::ramped:
      return chosen_mask(mae::ramped_mask({.from = settings.mask_from,
                                           .to = settings.mask_to,
                                           .begins = settings.ramp_begins,
                                           .ends = settings.ramp_ends}));
    case mask_choice::random:
      return chosen_mask(
          mae::random_ratio_mask({.low = settings.mask_from, .high = settings.mask_to}));
    case mask_choice::saliency:
      return chosen_mask(measured_saliency_mask(settings, images, patch, threads));
    case mask_choice::uniform:
      break;
  }
  return chosen_mask(mae::uniform_mask<>(settings.mask_ratio));
}

}  // namespace pretrain
