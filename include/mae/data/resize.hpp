#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace mae {

/// How an image is resampled, both as PIL does: antialiased when it shrinks, and the bicubic kernel
/// with a = -1/2 (Keys 1981). (The resizing of position tables in PyTorch takes a = -3/4.)
enum class interpolation : std::uint8_t { bilinear, bicubic };

/// A rectangle of an image, in pixels.
struct pixel_box {
  index_t top = 0;
  index_t left = 0;
  index_t height = 0;
  index_t width = 0;

  friend constexpr bool operator==(pixel_box const&, pixel_box const&) = default;
};

/// An image that somebody else owns; (H, W, C), channel fastest.
template <class T>
struct image_view {
  std::span<T> pixels;
  image_extent extent;
};

/// A part of an image, seen directly or in a mirror (left and right exchanged).
struct image_crop {
  pixel_box box;
  bool mirrored = false;
};

namespace detail {

/// How far from 0 the kernel reaches.
constexpr double kernel_support(interpolation kind) {
  return kind == interpolation::bilinear ? 1.0 : 2.0;
}

inline double kernel(interpolation kind, double x) {
  x = std::abs(x);
  if (x >= kernel_support(kind)) return 0.0;
  if (kind == interpolation::bilinear) return 1.0 - x;
  if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
  return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
}

}  // namespace detail

/// The weighted sums that resample one axis: output i is the sum over k < taps() of
/// weights(i)[k] * input[start(i) + k].
class resize_axis {
 public:
  /// Both sizes positive. Allocates only beyond the largest table seen.
  void assign(index_t input, index_t output, interpolation kind) {
    double const scale = static_cast<double>(input) / static_cast<double>(output);
    double const stretch = std::max(scale, 1.0);  // widens the kernel where the image shrinks
    double const reach = detail::kernel_support(kind) * stretch;
    taps_ = std::min(input, static_cast<index_t>(std::ceil(2.0 * reach)));
    starts_.resize(static_cast<std::size_t>(output));
    weights_.resize(static_cast<std::size_t>(output * taps_));
    for (index_t i = 0; i < output; ++i) {
      double const centre = (static_cast<double>(i) + 0.5) * scale;
      auto const first = static_cast<index_t>(std::floor(centre - reach + 0.5));
      index_t const start = std::clamp(first, index_t{0}, input - taps_);
      starts_[static_cast<std::size_t>(i)] = start;
      float* const weights = weights_.data() + i * taps_;
      double sum = 0;
      for (index_t k = 0; k < taps_; ++k) {
        double const distance = static_cast<double>(start + k) + 0.5 - centre;
        double const weight = detail::kernel(kind, distance / stretch);
        weights[k] = static_cast<float>(weight);
        sum += weight;
      }
      for (index_t k = 0; k < taps_; ++k)
        weights[k] = static_cast<float>(static_cast<double>(weights[k]) / sum);
    }
  }

  index_t taps() const noexcept { return taps_; }
  index_t start(index_t output) const { return starts_[static_cast<std::size_t>(output)]; }
  float const* weights(index_t output) const { return weights_.data() + output * taps_; }

 private:
  index_t taps_ = 0;
  std::vector<index_t> starts_;  // (outputs)
  std::vector<float> weights_;   // (outputs, taps)
};

/// Resamples a part of an image to any extent. Owns its scratch memory: one object for each thread;
/// a call allocates only where its sizes are beyond the largest seen.
class image_resizer {
 public:
  /// `source` and `target` (H, W, C) of equal channels, not overlapping; the crop lies inside the
  /// source. Bicubic results may lie outside the source's range.
  void operator()(image_view<float const> source,
                  image_crop const& crop,
                  interpolation kind,
                  image_view<float> target) {
    auto const [top, left, height, width] = crop.box;
    assert(top >= 0 && left >= 0 && height > 0 && width > 0);
    assert(top + height <= source.extent.height && left + width <= source.extent.width);
    assert(source.extent.channels == target.extent.channels);
    vertical_.assign(height, target.extent.height, kind);
    horizontal_.assign(width, target.extent.width, kind);
    rows_.resize(static_cast<std::size_t>(target.extent.height * width * source.extent.channels));
    resample_columns(source, crop.box, target.extent.height);
    switch (target.extent.channels) {  // the usual counts as constants: twice as quick
      case 1:
        return resample_rows(target, width, crop.mirrored, std::integral_constant<int, 1>{});
      case 3:
        return resample_rows(target, width, crop.mirrored, std::integral_constant<int, 3>{});
      default:
        return resample_rows(target, width, crop.mirrored, target.extent.channels);
    }
  }

 private:
  /// rows_ (target height, box width, C): along the columns of the box.
  void resample_columns(image_view<float const> source, pixel_box const& box, index_t height) {
    index_t const channels = source.extent.channels;
    index_t const row_values = box.width * channels;
    index_t const stride = source.extent.width * channels;
    float const* const corner = source.pixels.data() + box.top * stride + box.left * channels;
    for (index_t y = 0; y < height; ++y) {
      float* const row = rows_.data() + y * row_values;
      float const* const input = corner + vertical_.start(y) * stride;
      std::fill_n(row, row_values, 0.0F);
      for (index_t k = 0; k < vertical_.taps(); ++k) {
        float const weight = vertical_.weights(y)[k];
        for (index_t i = 0; i < row_values; ++i) row[i] += weight * input[k * stride + i];
      }
    }
  }

  /// From rows_ to the target; `channels` is a number or a constant.
  template <class Channels>
  void resample_rows(image_view<float> target, index_t width, bool mirrored, Channels channels) {
    index_t const columns = target.extent.width;
    index_t const taps = horizontal_.taps();
    for (index_t y = 0; y < target.extent.height; ++y) {
      float const* const row = rows_.data() + y * width * channels;
      float* const line = target.pixels.data() + y * columns * channels;
      for (index_t x = 0; x < columns; ++x) {
        float const* const input = row + horizontal_.start(x) * channels;
        float const* const weights = horizontal_.weights(x);
        float* const pixel = line + (mirrored ? columns - 1 - x : x) * channels;
        for (index_t c = 0; c < channels; ++c) {
          float sum = 0;
          for (index_t k = 0; k < taps; ++k) sum += weights[k] * input[k * channels + c];
          pixel[c] = sum;
        }
      }
    }
  }

  resize_axis vertical_;
  resize_axis horizontal_;
  std::vector<float> rows_;
};

}  // namespace mae
