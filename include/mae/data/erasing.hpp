#pragma once

#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/resize.hpp>

#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

namespace detail {

/// The least and the largest share of an image that is erased, and the flattest box, height /
/// width.
inline constexpr double erased_area_min = 0.02;
inline constexpr double erased_area_max = 1.0 / 3.0;
inline constexpr double erased_ratio_min = 0.3;

}  // namespace detail

/// The box that random erasing (Zhong et al. 2017, arXiv 1708.04896) takes from an image, or an
/// empty one: as timm's RandomErasing, of an area uniform in [0.02, 1/3] of the image's and a ratio
/// log-uniform in [0.3, 1/0.3], narrower and lower than the image; of ten tries the first that
/// fits.
inline pixel_box random_erasure(image_extent const& image, random_stream& random) {
  auto const uniform = [&random](double low, double high) {
    return low + (high - low) * random.uniform_double();
  };
  auto const below = [&random](index_t bound) {
    return static_cast<index_t>(random.below(static_cast<std::uint64_t>(bound)));
  };
  constexpr int tries = 10;
  auto const area = static_cast<double>(image.pixels());
  double const log_ratio = std::log(detail::erased_ratio_min);
  for (int i = 0; i < tries; ++i) {
    double const target = area * uniform(detail::erased_area_min, detail::erased_area_max);
    double const aspect = std::exp(uniform(log_ratio, -log_ratio));
    index_t const height = std::lrint(std::sqrt(target * aspect));
    index_t const width = std::lrint(std::sqrt(target / aspect));
    if (width >= image.width || height >= image.height) continue;
    index_t const top = below(image.height - height + 1);
    index_t const left = below(image.width - width + 1);
    return pixel_box{top, left, height, width};
  }
  return {};
}

/// With this probability fills a random box of an image (H, W, C), in scaled units, with noise that
/// the statistics normalise to N(0, 1) in each value (timm's mode "pixel").
inline void erase_at_random(double probability,
                            image_extent const& image,
                            pixel_statistics const& statistics,
                            random_stream& random,
                            std::span<float> pixels) {
  assert(static_cast<index_t>(pixels.size()) == image.values());
  if (random.uniform_double() >= probability) return;
  auto const box = random_erasure(image, random);
  if (box.height == 0) return;
  for (index_t y = box.top; y < box.top + box.height; ++y)
    for (index_t x = box.left; x < box.left + box.width; ++x)
      for (index_t c = 0; c < image.channels; ++c) {
        auto const channel = static_cast<std::size_t>(c);
        bool const is_scaled = !statistics.mean.empty();
        double const mean = is_scaled ? statistics.mean[channel] : 0.0;
        double const deviation = is_scaled ? statistics.deviation[channel] : 1.0;
        pixels[static_cast<std::size_t>((y * image.width + x) * image.channels + c)] =
            static_cast<float>(mean + deviation * random.normal());
      }
}

}  // namespace mae
