#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

namespace mae {

/// What RandAugment does to an image, by a strength: of an angle in degrees, of a shear, of a shift
/// in shares of the width or height, of a factor, or of the level above which values are inverted.
enum class image_change : std::uint8_t {
  rotate,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  brightness,
  contrast,
  colour,
  solarize
};

/// How images are changed: `count` operations an image, drawn with equal chances from the list
/// above, each done with chance 1/2 and by a magnitude of N(magnitude, deviation) cut to [0, 10].
/// A set of Cubuk et al. 2019 (arXiv 1909.13719), with the strengths of timm's "rand-mM-mstd0.5-
/// inc1", which He et al. 2021 fine-tune with at magnitude 9: of timm's 15 operations those that
/// are exact on images of floats (not autocontrast, equalize, invert, posterize, solarize-add,
/// sharpness).
struct rand_augment {
  double magnitude = 0;  // of 10; 0: images as they are
  double deviation = 0.5;
  index_t count = 2;

  bool is_on() const { return magnitude > 0; }
  friend constexpr bool operator==(rand_augment const&, rand_augment const&) = default;
};

/// Throws config_error for magnitudes beyond [0, 10], and counts that are negative.
inline void require_valid(rand_augment const& settings) {
  if (!(settings.magnitude >= 0 && settings.magnitude <= 10) || !(settings.deviation >= 0) ||
      !std::isfinite(settings.deviation) || settings.count < 0)
    throw config_error(
        "RandAugment's magnitude must lie in [0, 10], its deviation and its number of operations "
        "must not be negative");
}

/// The strength of an operation at a magnitude in [0, 10]; what goes two ways goes the other when
/// `negative`.
inline double strength_of(image_change change, double magnitude, bool negative) {
  constexpr double most_angle = 30;
  constexpr double most_shear = 0.3;
  constexpr double most_shift = 0.45;
  constexpr double most_enhancement = 0.9;
  constexpr double least_factor = 0.1;
  double const level = magnitude / 10;
  double const sign = negative ? -1 : 1;
  switch (change) {
    case image_change::rotate:
      return sign * level * most_angle;
    case image_change::shear_x:
    case image_change::shear_y:
      return sign * level * most_shear;
    case image_change::translate_x:
    case image_change::translate_y:
      return sign * level * most_shift;
    case image_change::brightness:
    case image_change::contrast:
    case image_change::colour:
      return std::max(least_factor, 1 + sign * level * most_enhancement);
    case image_change::solarize:
      return 1 - level;
  }
  return 0;
}

namespace detail {

/// From a pixel of the result to the place in the source that it shows, both from the top left
/// corner: x' = a x + b y + c, y' = d x + e y + f.
struct affine_map {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};

inline affine_map map_of(image_change change, double strength, image_extent const& image) {
  auto const width = static_cast<double>(image.width);
  auto const height = static_cast<double>(image.height);
  switch (change) {
    case image_change::rotate: {
      double const angle = strength * std::numbers::pi / 180;
      double const cosine = std::cos(angle);
      double const sine = std::sin(angle);
      return {.a = cosine,
              .b = -sine,
              .c = width / 2 - cosine * width / 2 + sine * height / 2,
              .d = sine,
              .e = cosine,
              .f = height / 2 - sine * width / 2 - cosine * height / 2};
    }
    case image_change::shear_x:
      return {.b = strength};
    case image_change::shear_y:
      return {.d = strength};
    case image_change::translate_x:
      return {.c = strength * width};
    default:
      return {.f = strength * height};
  }
}

}  // namespace detail

/// Changes images of one extent in place. Owns its scratch memory: one object for each worker.
class image_changer {
 public:
  /// What lies outside an image is filled with its channel's value of `fill` (C), as the mean of
  /// all images; 0 without.
  image_changer(image_extent const& extent, std::vector<double> fill)
      : extent_(extent), fill_(std::move(fill)) {
    fill_.resize(static_cast<std::size_t>(extent.channels));
    source_.resize(static_cast<std::size_t>(extent.values()));
  }

  /// Changes of this image, drawn from its stream. pixels (H, W, C), of [0, 1].
  void operator()(rand_augment const& settings, random_stream& random, std::span<float> pixels) {
    constexpr std::uint64_t changes = 9;
    for (index_t i = 0; i < settings.count; ++i) {
      auto const change = static_cast<image_change>(random.below(changes));
      bool const is_done = random.below(2) == 1;
      bool const negative = random.below(2) == 1;
      double const drawn = settings.magnitude + settings.deviation * random.normal();
      if (is_done)
        apply(change, strength_of(change, std::clamp(drawn, 0.0, 10.0), negative), pixels);
    }
  }

  /// One change by this strength, as Pillow's, but for the rounding to bytes: places by bilinear
  /// interpolation; factors of a blend with black, with the mean of the grey image, or with the
  /// grey image, cut to [0, 1].
  void apply(image_change change, double strength, std::span<float> pixels) {
    assert(pixels.size() == source_.size());
    auto const factor = static_cast<float>(strength);
    switch (change) {
      case image_change::brightness:
        return blend(factor, pixels, [](index_t /*pixel*/) { return 0.0F; });
      case image_change::contrast: {
        auto const mean = static_cast<float>(mean_grey(pixels));
        return blend(factor, pixels, [mean](index_t /*pixel*/) { return mean; });
      }
      case image_change::colour:
        return blend(
            factor, pixels, [&](index_t pixel) { return static_cast<float>(grey(pixels, pixel)); });
      case image_change::solarize:
        for (float& value : pixels) value = value < factor ? value : 1 - value;
        return;
      default:
        return move(detail::map_of(change, strength, extent_), pixels);
    }
  }

 private:
  /// ITU-R 601's luma of three channels, else their mean.
  double grey(std::span<float const> pixels, index_t pixel) const {
    constexpr std::array<double, 3> luma{0.299, 0.587, 0.114};
    auto const first = static_cast<std::size_t>(pixel * extent_.channels);
    auto const count = static_cast<std::size_t>(extent_.channels);
    double sum = 0;
    for (std::size_t c = 0; c < count; ++c)
      sum += static_cast<double>(pixels[first + c]) *
             (count == luma.size() ? luma[c] : 1.0 / static_cast<double>(count));
    return sum;
  }
  double mean_grey(std::span<float const> pixels) const {
    double sum = 0;
    for (index_t pixel = 0; pixel < extent_.pixels(); ++pixel) sum += grey(pixels, pixel);
    return sum / static_cast<double>(extent_.pixels());
  }

  template <class Other>
  void blend(float factor, std::span<float> pixels, Other const& other_of) const {
    for (index_t pixel = 0; pixel < extent_.pixels(); ++pixel) {
      float const other = other_of(pixel);
      for (index_t c = 0; c < extent_.channels; ++c) {
        float& value = pixels[static_cast<std::size_t>(pixel * extent_.channels + c)];
        value = std::clamp(other + factor * (value - other), 0.0F, 1.0F);
      }
    }
  }

  /// As Pillow's Image.transform: what lies outside is filled, the border's pixels reach to it.
  void move(detail::affine_map const& to, std::span<float> pixels) {
    std::copy(pixels.begin(), pixels.end(), source_.begin());
    auto const width = static_cast<double>(extent_.width);
    auto const height = static_cast<double>(extent_.height);
    for (index_t row = 0; row < extent_.height; ++row)
      for (index_t column = 0; column < extent_.width; ++column) {
        double const x = static_cast<double>(column) + 0.5;
        double const y = static_cast<double>(row) + 0.5;
        double const from_x = to.a * x + to.b * y + to.c;
        double const from_y = to.d * x + to.e * y + to.f;
        bool const outside = from_x < 0 || from_x >= width || from_y < 0 || from_y >= height;
        for (index_t c = 0; c < extent_.channels; ++c)
          pixels[at(row, column, c)] =
              static_cast<float>(outside ? fill_[static_cast<std::size_t>(c)]
                                         : interpolated(from_y - 0.5, from_x - 0.5, c));
      }
  }
  double interpolated(double y, double x, index_t c) const {
    auto const inside = [](double place, index_t size) {
      return std::clamp(static_cast<index_t>(place), index_t{0}, size - 1);
    };
    double const top = std::floor(y);
    double const left = std::floor(x);
    index_t const above = inside(top, extent_.height);
    index_t const below = inside(top + 1, extent_.height);
    index_t const before = inside(left, extent_.width);
    index_t const after = inside(left + 1, extent_.width);
    auto const along = [&](index_t row) {
      auto const first = static_cast<double>(source_[at(row, before, c)]);
      return first + (static_cast<double>(source_[at(row, after, c)]) - first) * (x - left);
    };
    return along(above) + (along(below) - along(above)) * (y - top);
  }
  std::size_t at(index_t row, index_t column, index_t channel) const {
    return static_cast<std::size_t>((row * extent_.width + column) * extent_.channels + channel);
  }

  image_extent extent_;
  std::vector<double> fill_;
  std::vector<float> source_;
};

}  // namespace mae
