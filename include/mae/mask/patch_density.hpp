#pragma once

#include <mae/core/types.hpp>
#include <mae/mask/log_information.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>

namespace mae {

/// By what a patch is called dense.
enum class density_measure {
  variance,  // log_information
  gradient,  // log of the mean squared difference of neighbouring pixels
  entropy,   // of the histogram of brightness in 16 equal bins of [0, 1], in bits
};

/// The words of files and command lines.
constexpr char const* to_string(density_measure measure) {
  return measure == density_measure::variance   ? "variance"
         : measure == density_measure::gradient ? "gradient"
                                                : "entropy";
}

/// The density of one patch (P) in [0, 1], of pixels `width` to a row, channel fastest. Comparable
/// between patches of one size. A template, to be compiled where it is used.
template <std::same_as<density_measure> Measure>
double patch_density(Measure measure,
                     std::span<float const> patch,
                     index_t channels,
                     index_t width) {
  if (measure == density_measure::variance) return log_information(patch, channels);
  auto const row = width * channels;
  auto const values = static_cast<index_t>(patch.size());
  auto const at = [patch](index_t i) { return patch[static_cast<std::size_t>(i)]; };
  if (measure == density_measure::gradient) {
    constexpr double noise = (4.0 / 255.0) * (4.0 / 255.0);
    double squares = 0;
    index_t pairs = 0;
    auto const add = [&](double difference) {
      squares += difference * difference;
      ++pairs;
    };
    for (index_t i = 0; i < values; ++i) {
      if (i % row < row - channels) add(at(i + channels) - at(i));
      if (i + row < values) add(at(i + row) - at(i));
    }
    return std::log(noise + (pairs > 0 ? squares / static_cast<double>(pairs) : 0.0));
  }
  std::array<int, 16> histogram{};
  auto const pixels = values / channels;
  for (index_t pixel = 0; pixel < pixels; ++pixel) {
    float sum = 0;
    for (index_t channel = 0; channel < channels; ++channel) sum += at(pixel * channels + channel);
    float const bin = 16 * sum / static_cast<float>(channels);
    ++histogram[bin > 0 ? static_cast<std::size_t>(std::min(bin, 15.0F)) : 0];  // NaN: 0
  }
  double bits = 0;
  for (int const count : histogram) {
    double const share = count / static_cast<double>(pixels);
    if (count > 0) bits -= share * std::log2(share);
  }
  return bits;
}

}  // namespace mae
