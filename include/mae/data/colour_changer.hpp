#pragma once

#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/colour_changes.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// Changes the colours of images of one extent in place: (H, W, C), of [0, 1], to values of [0, 1].
/// Each operation is torchvision 0.29's of an image of floats (transforms.v2). Owns its scratch
/// memory: one object for each worker; a call allocates nothing.
class colour_changer {
 public:
  /// Throws config_error where images of this extent cannot be changed so.
  colour_changer(image_extent const& extent, colour_changes const& settings)
      : extent_(extent), settings_(settings) {
    require_valid(settings, extent);
    if (settings.blur.probability <= 0) return;
    weights_.resize(static_cast<std::size_t>(blur_kernel(settings.blur, extent)));
    padded_.resize(static_cast<std::size_t>(row_values() + (kernel() - 1) * extent.channels));
    rows_.resize(static_cast<std::size_t>(extent.values()));
  }

  /// The changes of this image, drawn from its stream.
  void operator()(random_stream& random, std::span<float> pixels) {
    apply(draw_colours(settings_, random), pixels);
  }

  /// Those that were drawn. A factor of 1 and a turn by 0 change no bit.
  void apply(drawn_colours const& drawn, std::span<float> pixels) {
    assert(static_cast<index_t>(pixels.size()) == extent_.values());
    for (auto const change : drawn.jitter.order)
      apply(change, drawn.jitter.by[static_cast<std::size_t>(change)], pixels);
    if (drawn.grey) make_grey(pixels);
    if (drawn.blur > 0) blur(drawn.blur, pixels);
    if (drawn.solarise) solarise(pixels);
  }

  /// One of a jitter's: a blend by a factor with black, with the mean of the grey image (of other
  /// than three channels, of all values), or with the grey image, cut to [0, 1]; or a turn of hues.
  void apply(colour_change change, double by, std::span<float> pixels) const {
    if (by == nothing_by(change)) return;
    switch (change) {
      case colour_change::brightness:
        return blend(by, pixels, [](float const* /*pixel*/) { return 0.0F; });
      case colour_change::contrast: {
        auto const mean = static_cast<float>(mean_of(pixels));
        return blend(by, pixels, [mean](float const* /*pixel*/) { return mean; });
      }
      case colour_change::saturation:
        assert(extent_.channels == 3);
        return blend(by, pixels, luma);
      case colour_change::hue:
        return turn_hues(by, pixels);
    }
  }

  /// ITU-R 601's luma in all three channels.
  void make_grey(std::span<float> pixels) const {
    assert(extent_.channels == 3);
    for (std::size_t i = 0; i < pixels.size(); i += 3)
      std::fill_n(pixels.data() + i, 3, luma(pixels.data() + i));
  }

  /// By a Gaussian of this deviation, in pixels, cut to the settings' kernel; what lies beyond a
  /// border is the image, mirrored at its outermost pixels. The settings must have a blur.
  void blur(double sigma, std::span<float> pixels) {
    assert(!weights_.empty() && sigma > 0);
    weigh(sigma);
    auto const width = static_cast<std::size_t>(row_values());
    for (index_t y = 0; y < extent_.height; ++y)
      blur_row(pixels.subspan(place(y), width), std::span(rows_).subspan(place(y), width));
    for (index_t y = 0; y < extent_.height; ++y) {
      auto const result = pixels.subspan(place(y), width);
      std::fill(result.begin(), result.end(), 0.0F);
      for (index_t k = 0; k < kernel(); ++k)
        add_scaled(weights_[static_cast<std::size_t>(k)],
                   rows_.data() + place(mirrored(y + k - beyond(), extent_.height)),
                   result);
    }
  }

  /// What is not below the settings' threshold is inverted.
  void solarise(std::span<float> pixels) const {
    auto const threshold = static_cast<float>(settings_.solarise.threshold);
    for (float& value : pixels) {
      float const inverted = 1 - value;
      value = value < threshold ? value : inverted;
    }
  }

 private:
  /// torchvision's weights, which add up to 0.9999.
  static float luma(float const* pixel) {
    constexpr std::array<float, 3> weights{0.2989F, 0.587F, 0.114F};
    return weights[0] * pixel[0] + weights[1] * pixel[1] + weights[2] * pixel[2];
  }
  double mean_of(std::span<float const> pixels) const {
    bool const is_coloured = extent_.channels == 3;
    double sum = 0;
    if (is_coloured)
      for (std::size_t i = 0; i < pixels.size(); i += 3)
        sum += static_cast<double>(luma(pixels.data() + i));
    else
      for (float const value : pixels) sum += static_cast<double>(value);
    return sum / static_cast<double>(is_coloured ? extent_.pixels() : extent_.values());
  }

  template <class Other>
  void blend(double by, std::span<float> pixels, Other const& other_of) const {
    auto const channels = static_cast<std::size_t>(extent_.channels);
    auto const own = static_cast<float>(by);
    auto const others = static_cast<float>(1 - by);
    for (std::size_t i = 0; i < pixels.size(); i += channels) {
      float const other = others * other_of(pixels.data() + i);
      for (float& value : pixels.subspan(i, channels))
        value = std::clamp(own * value + other, 0.0F, 1.0F);
    }
  }

  /// Values and saturations of HSV stay, hues move by a share of the colour circle in [-1/2, 1/2].
  void turn_hues(double by, std::span<float> pixels) const {
    assert(extent_.channels == 3 && std::abs(by) <= 1.0 / 2);
    constexpr double circle = 6;  // two from one channel to the next
    auto const wrapped = [](double place) { return place < circle ? place : place - circle; };
    for (std::size_t i = 0; i < pixels.size(); i += 3) {
      auto const pixel = pixels.subspan(i, 3);
      double const red = pixel[0];
      double const green = pixel[1];
      double const blue = pixel[2];
      double const most = std::max({red, green, blue});
      double const chroma = most - std::min({red, green, blue});
      if (!(chroma > 0)) continue;  // grey has no hue
      double hue = circle * by;
      if (most == red)
        hue += (green - blue) / chroma;
      else if (most == green)
        hue += 2 + (blue - red) / chroma;
      else
        hue += 4 + (red - green) / chroma;
      hue = wrapped(hue < 0 ? hue + circle : hue);
      // How far a channel is below the greatest: not within a sixth of its own hue, by all the
      // chroma within a sixth of the opposite one, and evenly between.
      auto const at = [&](double channel_place) {
        double const away = wrapped(hue + channel_place);
        return static_cast<float>(most - chroma * std::clamp(std::min(away, 4 - away), 0.0, 1.0));
      };
      pixel[0] = at(5);
      pixel[1] = at(3);
      pixel[2] = at(1);
    }
  }

  void weigh(double sigma) {
    double sum = 0;
    auto const weight = [&](index_t k) {
      double const away = static_cast<double>(k - beyond()) / sigma;
      return std::exp(-away * away / 2);
    };
    for (index_t k = 0; k < kernel(); ++k) sum += weight(k);
    for (index_t k = 0; k < kernel(); ++k)
      weights_[static_cast<std::size_t>(k)] = static_cast<float>(weight(k) / sum);
  }
  void blur_row(std::span<float const> row, std::span<float> result) {
    index_t const channels = extent_.channels;
    for (index_t x = -beyond(); x < extent_.width + beyond(); ++x)
      std::copy_n(row.data() + mirrored(x, extent_.width) * channels,
                  channels,
                  padded_.data() + (x + beyond()) * channels);
    std::fill(result.begin(), result.end(), 0.0F);
    for (index_t k = 0; k < kernel(); ++k)
      add_scaled(weights_[static_cast<std::size_t>(k)], padded_.data() + k * channels, result);
  }
  static void add_scaled(float weight, float const* values, std::span<float> sum) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * values[i];
  }
  static index_t mirrored(index_t at, index_t size) {
    return at < 0 ? -at : at < size ? at : 2 * (size - 1) - at;
  }

  index_t kernel() const { return static_cast<index_t>(weights_.size()); }
  index_t beyond() const { return kernel() / 2; }
  index_t row_values() const { return extent_.width * extent_.channels; }
  std::size_t place(index_t row) const { return static_cast<std::size_t>(row * row_values()); }

  image_extent extent_;
  colour_changes settings_;
  std::vector<float> weights_;  // of a blur, one after the other
  std::vector<float> padded_;   // a row, mirrored at both ends
  std::vector<float> rows_;     // the image, blurred along rows
};

}  // namespace mae
