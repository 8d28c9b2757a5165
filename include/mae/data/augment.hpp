#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// How training images vary. The defaults are the official code's: a random crop, resized to the
/// whole image, and a flip.
struct augmentation {
  double crop_min = 0.2;  // the least share of the area that a crop keeps; 1: no crop
  double crop_max = 1;    // the largest
  bool flip = true;       // mirrored or not with equal chance
  interpolation kind = interpolation::bicubic;

  friend constexpr bool operator==(augmentation const&, augmentation const&) = default;
};

/// The last of an image's views as crops of a small part, resized to the whole image as all are
/// (multi-crop: Caron et al. 2020, arXiv 2006.09882; these shares are DINO's).
struct local_crops {
  index_t views = 0;  // of each image; 0: none
  double crop_min = 0.05;
  double crop_max = 0.4;

  /// How such a view varies, where others vary by `of_others`.
  constexpr augmentation varied(augmentation of_others) const {
    of_others.crop_min = crop_min;
    of_others.crop_max = crop_max;
    return of_others;
  }
  friend constexpr bool operator==(local_crops const&, local_crops const&) = default;
};

/// Throws config_error unless 0 < crop_min <= crop_max <= 1.
inline void require_valid(augmentation const& settings) {
  if (!(settings.crop_min > 0 && settings.crop_min <= 1))
    throw config_error("the least share of an image that a crop keeps must lie in (0, 1], it is " +
                       std::to_string(settings.crop_min));
  if (!(settings.crop_max >= settings.crop_min && settings.crop_max <= 1))
    throw config_error(
        "the largest share of an image that a crop keeps must lie between the least, " +
        std::to_string(settings.crop_min) + ", and 1, it is " + std::to_string(settings.crop_max));
}

/// Of views of images that vary by `of_others`: throws config_error unless some are not local, and
/// for shares that cannot be.
inline void require_valid(local_crops const& local, augmentation const& of_others, index_t views) {
  if (local.views < 0 || local.views >= views)
    throw config_error(
        "the views that show small parts must be fewer than an image's views: one at least is of "
        "the whole image's crops");
  if (local.views > 0) require_valid(local.varied(of_others));
}

namespace detail {

/// The widest and the narrowest crop, width / height.
inline constexpr double crop_ratio_min = 3.0 / 4.0;
inline constexpr double crop_ratio_max = 4.0 / 3.0;

/// The largest centred crop of an allowed ratio.
inline pixel_box centre_crop(image_extent const& image) {
  auto const height = static_cast<double>(image.height);
  auto const width = static_cast<double>(image.width);
  pixel_box box{.height = image.height, .width = image.width};
  if (width / height < crop_ratio_min) box.height = std::lrint(width / crop_ratio_min);
  if (width / height > crop_ratio_max) box.width = std::lrint(height * crop_ratio_max);
  box.top = (image.height - box.height) / 2;
  box.left = (image.width - box.width) / 2;
  return box;
}

}  // namespace detail

/// A crop with an area uniform in [crop_min, crop_max] of the image's and a width-to-height ratio
/// log-uniform in [3/4, 4/3]: ten tries, then the largest centred one, as torchvision's
/// RandomResizedCrop.get_params. crop_min = 1 gives the whole image and draws nothing.
inline pixel_box random_crop(image_extent const& image,
                             double crop_min,
                             random_stream& random,
                             double crop_max = 1) {
  if (crop_min >= 1.0) return {.height = image.height, .width = image.width};
  auto const uniform = [&random](double low, double high) {
    return low + (high - low) * random.uniform_double();
  };
  auto const below = [&random](index_t bound) {
    return static_cast<index_t>(random.below(static_cast<std::uint64_t>(bound)));
  };
  constexpr int tries = 10;
  auto const area = static_cast<double>(image.pixels());
  double const log_ratio = std::log(detail::crop_ratio_max);
  for (int i = 0; i < tries; ++i) {
    double const target = area * uniform(crop_min, crop_max);
    double const aspect = std::exp(uniform(-log_ratio, log_ratio));
    index_t const width = std::lrint(std::sqrt(target * aspect));
    index_t const height = std::lrint(std::sqrt(target / aspect));
    if (width > 0 && width <= image.width && height > 0 && height <= image.height) {
      index_t const top = below(image.height - height + 1);
      index_t const left = below(image.width - width + 1);
      return {top, left, height, width};
    }
  }
  return detail::centre_crop(image);
}

/// Varies images of one extent. Owns its scratch memory: one object for each worker; a call
/// allocates nothing.
class augmenter {
 public:
  /// Throws config_error for an extent or settings that cannot be.
  augmenter(image_extent const& extent, augmentation const& settings)
      : extent_(extent), settings_(settings) {
    require_valid(extent);
    require_valid(settings);
    reserve();
  }

  /// A random view of `source`, written to `result`; both (H, W, C), not overlapping. The bicubic
  /// kernel overshoots at edges: its results are clamped to [0, 1], as 8-bit images are, or to the
  /// source's own range where that is wider. Returns which part of the source it shows.
  image_crop operator()(std::span<float const> source,
                        random_stream& random,
                        std::span<float> result) {
    assert(static_cast<index_t>(source.size()) == extent_.values());
    assert(result.size() == source.size());
    image_crop crop{.box = random_crop(extent_, settings_.crop_min, random, settings_.crop_max)};
    crop.mirrored = settings_.flip && random.below(2) == 1;
    resizer_({source, extent_}, crop, settings_.kind, {result, extent_});
    if (settings_.kind == interpolation::bicubic) clamp_to_range(source, result);
    return crop;
  }

 private:
  /// The whole image is the crop that needs the most memory.
  void reserve() {
    std::vector<float> const source(static_cast<std::size_t>(extent_.values()));
    std::vector<float> result(source.size());
    image_crop const whole{.box = {.height = extent_.height, .width = extent_.width}};
    resizer_({source, extent_}, whole, settings_.kind, {result, extent_});
  }

  static void clamp_to_range(std::span<float const> source, std::span<float> result) {
    float low = 0;
    float high = 1;
    for (float const value : source) {
      low = value < low ? value : low;
      high = high < value ? value : high;
    }
    for (float& value : result) value = std::clamp(value, low, high);
  }

  image_extent extent_;
  augmentation settings_;
  image_resizer resizer_;
};

}  // namespace mae
