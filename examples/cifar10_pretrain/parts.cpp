#include "parts.hpp"

#include <mae/data/augment.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pretrain {
namespace {

mae::saliency_mask measured_saliency_mask(options const& settings,
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
    mae::augmenter vary(extent, {.crop_min = settings.crop_min});
    vary(stored, random, pixels);
  };
  return mae::saliency_mask(
      {.strength = settings.saliency_strength,
       .ratio = settings.mask_ratio,
       .training = mae::measure_saliency(
           std::min(images.size(), measured_images), extent, patch, read, threads)});
}

}  // namespace

chosen_mask make_mask(options const& settings,
                      image_set const& images,
                      mae::patch_extent const& patch,
                      mae::thread_pool& threads) {
  switch (settings.mask) {
    case mask_choice::ramped:
      return chosen_mask(mae::ramped_mask({.from = settings.mask_from, .to = settings.mask_to}));
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

chosen_objective make_objective(options const& settings) {
  if (settings.objective == objective_choice::pixels) return chosen_objective(mae::pixels{});
  return chosen_objective(mae::normalised_pixels{});
}

}  // namespace pretrain
