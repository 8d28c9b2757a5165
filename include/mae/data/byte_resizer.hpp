#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace mae {

/// What of a picture is resampled, and what of the result is kept: the box `from` of the picture
/// becomes height x width pixels, and the box `kept` of these is the image.
struct resampling {
  pixel_box from;
  index_t height = 0;
  index_t width = 0;
  pixel_box kept;

  /// All of `from` as height x width pixels, all of them kept.
  static resampling whole(pixel_box const& from, index_t height, index_t width) {
    return {from, height, width, {0, 0, height, width}};
  }
};

namespace detail {

/// The sums of whole numbers that resample one axis of 8-bit values as Pillow does
/// (libImaging/Resample.c): weights are multiples of 2^-22.
class byte_axis {
 public:
  static constexpr int fraction_bits = 22;
  static constexpr std::int32_t half = std::int32_t{1} << (fraction_bits - 1);

  /// Of the `output` values that `input` values become: those of [first, first + count).
  void assign(index_t input, index_t output, index_t first, index_t count, interpolation kind) {
    double const scale = static_cast<double>(input) / static_cast<double>(output);
    double const stretch = std::max(scale, 1.0);  // widens the kernel where the image shrinks
    double const reach = kernel_support(kind) * stretch;
    most_taps_ = std::min(input, static_cast<index_t>(std::ceil(reach)) * 2 + 1);
    starts_.resize(static_cast<std::size_t>(count));
    ends_.resize(static_cast<std::size_t>(count));
    weights_.resize(static_cast<std::size_t>(count * most_taps_));
    exact_.resize(static_cast<std::size_t>(most_taps_));
    for (index_t i = 0; i < count; ++i) {
      double const centre = (static_cast<double>(first + i) + 0.5) * scale;
      auto const start =
          std::max(index_t{0}, static_cast<index_t>(std::floor(centre - reach + 0.5)));
      auto const end = std::min(input, static_cast<index_t>(std::floor(centre + reach + 0.5)));
      starts_[static_cast<std::size_t>(i)] = start;
      ends_[static_cast<std::size_t>(i)] = end;
      double sum = 0;
      for (index_t k = start; k < end; ++k) {
        double const distance = static_cast<double>(k) - centre + 0.5;
        double const weight = kernel(kind, distance * (1.0 / stretch));
        exact_[static_cast<std::size_t>(k - start)] = weight;
        sum += weight;
      }
      std::int32_t* const weights = weights_.data() + i * most_taps_;
      for (index_t k = 0; k < end - start; ++k)
        weights[k] = fixed(exact_[static_cast<std::size_t>(k)] / sum);
    }
  }

  index_t most_taps() const noexcept { return most_taps_; }
  index_t start(index_t output) const { return starts_[static_cast<std::size_t>(output)]; }
  index_t end(index_t output) const { return ends_[static_cast<std::size_t>(output)]; }
  /// end - start of them.
  std::int32_t const* weights(index_t output) const {
    return weights_.data() + output * most_taps_;
  }

  /// A sum that began with `half`, as a value of 8 bits.
  static std::uint8_t rounded(std::int32_t sum) {
    return static_cast<std::uint8_t>(std::clamp(sum >> fraction_bits, 0, 255));
  }

 private:
  static std::int32_t fixed(double weight) {
    constexpr double one = std::int32_t{1} << fraction_bits;
    return static_cast<std::int32_t>(weight * one + (weight < 0 ? -0.5 : 0.5));
  }

  index_t most_taps_ = 0;
  std::vector<index_t> starts_;        // (outputs)
  std::vector<index_t> ends_;          // (outputs)
  std::vector<std::int32_t> weights_;  // (outputs, most taps)
  std::vector<double> exact_;          // (most taps), of one output
};

}  // namespace detail

/// Resamples 8-bit images as Pillow does, to the bit: along the rows, then along the columns, with
/// whole numbers of [0, 255] between the two. (Pillow 13 takes the columns first where the height
/// shrinks more than the width; before, and in torchvision, the rows come first, always. Here
/// too: a picture can then be resampled while its rows arrive.) Holds a few rows, whatever the
/// picture's size; owns its memory: one object for each thread.
class byte_resizer {
 public:
  /// `source` and `target` (H, W, C) of equal channels, not overlapping; `plan.from` lies inside
  /// the source, `plan.kept` inside plan.height x plan.width, and the target has its size.
  void operator()(image_view<std::uint8_t const> source,
                  resampling const& plan,
                  interpolation kind,
                  image_view<std::uint8_t> target) {
    begin(source.extent, plan, kind, target);
    index_t const stride = source.extent.width * source.extent.channels;
    for (index_t y = 0; y < source.extent.height; ++y) take_row(source.pixels.data() + y * stride);
  }

  /// Begins a picture of this extent whose rows follow. The target is complete with the last.
  void begin(image_extent const& picture,
             resampling const& plan,
             interpolation kind,
             image_view<std::uint8_t> target) {
    auto const& [from, height, width, kept] = plan;
    assert(from.top >= 0 && from.left >= 0 && from.height > 0 && from.width > 0);
    assert(from.top + from.height <= picture.height && from.left + from.width <= picture.width);
    assert(kept.top >= 0 && kept.top + kept.height <= height);
    assert(kept.left >= 0 && kept.left + kept.width <= width);
    assert(target.extent == (image_extent{kept.height, kept.width, picture.channels}));
    vertical_.assign(from.height, height, kept.top, kept.height, kind);
    horizontal_.assign(from.width, width, kept.left, kept.width, kind);
    target_ = target;
    left_ = from.left;
    row_values_ = kept.width * picture.channels;
    rows_.resize(static_cast<std::size_t>(vertical_.most_taps() * row_values_));
    sums_.resize(static_cast<std::size_t>(row_values_));
    next_input_ = -from.top;
    next_output_ = 0;
  }

  /// The next row from the top, (W, C).
  void take_row(std::uint8_t const* row) {
    index_t const y = next_input_++;
    index_t const outputs = target_.extent.height;
    if (next_output_ == outputs || y < vertical_.start(next_output_)) return;
    switch (target_.extent.channels) {  // the usual counts as constants: twice as quick
      case 1:
        resample_row(row, place_of(y), std::integral_constant<int, 1>{});
        break;
      case 3:
        resample_row(row, place_of(y), std::integral_constant<int, 3>{});
        break;
      default:
        resample_row(row, place_of(y), target_.extent.channels);
    }
    for (; next_output_ < outputs && vertical_.end(next_output_) == y + 1; ++next_output_)
      finish_row(next_output_);
  }

 private:
  /// Rows of the picture that are still needed take turns in rows_.
  std::uint8_t* place_of(index_t y) {
    return rows_.data() + y % vertical_.most_taps() * row_values_;
  }

  /// `channels` is a number or a constant.
  template <class Channels>
  // NOLINTNEXTLINE(readability-non-const-parameter): it is written below.
  void resample_row(std::uint8_t const* row, std::uint8_t* result, Channels channels) const {
    row += left_ * channels;
    for (index_t x = 0; x < target_.extent.width; ++x) {
      std::uint8_t const* const input = row + horizontal_.start(x) * channels;
      std::int32_t const* const weights = horizontal_.weights(x);
      index_t const taps = horizontal_.end(x) - horizontal_.start(x);
      for (index_t c = 0; c < channels; ++c) {
        std::int32_t sum = detail::byte_axis::half;
        for (index_t k = 0; k < taps; ++k) sum += weights[k] * input[k * channels + c];
        result[x * channels + c] = detail::byte_axis::rounded(sum);
      }
    }
  }

  void finish_row(index_t output) {
    std::ranges::fill(sums_, detail::byte_axis::half);
    std::int32_t* const sums = sums_.data();
    for (index_t y = vertical_.start(output); y < vertical_.end(output); ++y) {
      std::int32_t const weight = vertical_.weights(output)[y - vertical_.start(output)];
      std::uint8_t const* const row = place_of(y);
      for (index_t i = 0; i < row_values_; ++i) sums[i] += weight * row[i];
    }
    std::uint8_t* const line = target_.pixels.data() + output * row_values_;
    for (index_t i = 0; i < row_values_; ++i) line[i] = detail::byte_axis::rounded(sums[i]);
  }

  detail::byte_axis vertical_;
  detail::byte_axis horizontal_;
  image_view<std::uint8_t> target_;
  index_t left_ = 0;
  index_t row_values_ = 0;
  index_t next_input_ = 0;  // of the rows of the box; negative above it
  index_t next_output_ = 0;
  std::vector<std::uint8_t> rows_;  // (most taps, kept width, C): along the rows
  std::vector<std::int32_t> sums_;  // (kept width, C)
};

}  // namespace mae
