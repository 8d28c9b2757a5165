#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Images with or without labels, all of one extent. `read` writes image `index` as (H, W, C),
/// channel fastest, in scaled units: a stored value times `pixel_scale()` (1/255 for 8-bit images,
/// so that values lie in [0, 1]). Const members are called from several threads at once.
template <class D>
concept Dataset = requires(D const& dataset, index_t index, std::span<float> pixels) {
  { dataset.extent() } -> std::same_as<image_extent>;
  { dataset.size() } -> std::same_as<index_t>;
  { dataset.pixel_scale() } -> std::same_as<double>;
  { dataset.read(index, pixels) } -> std::same_as<void>;
  { dataset.label(index) } -> std::same_as<index_t>;   // -1 where there is none
  { dataset.num_classes() } -> std::same_as<index_t>;  // 0 without labels
};

/// What maps stored values to the network's input: (stored * scale - mean) / deviation, per
/// channel.
struct pixel_statistics {
  std::vector<double> mean;       // (C), in scaled units
  std::vector<double> deviation;  // (C), in scaled units, positive
  double scale = 1.0;

  friend bool operator==(pixel_statistics const&, pixel_statistics const&) = default;
};

/// What is wrong with statistics for images of so many channels, in words; empty where nothing is.
/// They are none at all, or for each channel a mean and a positive deviation, of sizes that a float
/// holds, and so its inverse, since pixels are normalised in float.
inline std::string problem_of(pixel_statistics const& statistics, index_t channels) {
  auto const& [mean, deviation, scale] = statistics;
  constexpr double most = std::numeric_limits<float>::max();
  if (!(scale > 0) || !std::isfinite(scale))
    return "the pixel scale is " + decimal_text(scale) + ", it must be positive and finite";
  if (mean.empty() && deviation.empty()) return {};
  if (static_cast<index_t>(mean.size()) != channels ||
      static_cast<index_t>(deviation.size()) != channels)
    return std::to_string(mean.size()) + " means and " + std::to_string(deviation.size()) +
           " deviations for images of " + std::to_string(channels) + " channels";
  for (std::size_t c = 0; c < mean.size(); ++c) {
    if (!(std::abs(mean[c]) <= most))
      return "the mean of channel " + std::to_string(c) + " is " + decimal_text(mean[c]) +
             ", it must be a number that a float holds";
    if (!(deviation[c] >= 1 / most && deviation[c] <= most && 1 / deviation[c] >= 1 / most))
      return "the deviation of channel " + std::to_string(c) + " is " + decimal_text(deviation[c]) +
             ", it must be positive, and a float hold it and its inverse";
  }
  return {};
}

/// Throws config_error for statistics that problem_of finds fault with.
inline void require_valid(pixel_statistics const& statistics, index_t channels) {
  if (std::string const problem = problem_of(statistics, channels); !problem.empty())
    throw config_error("pixel statistics: " + problem);
}

/// An extent in words: "32x32x3".
inline std::string to_string(image_extent const& extent) {
  return std::to_string(extent.height) + "x" + std::to_string(extent.width) + "x" +
         std::to_string(extent.channels);
}

/// Throws config_error for an extent that no image can have: a side or a channel count below 1, or
/// more than 2^31 - 1 values.
inline void require_valid(image_extent const& extent) {
  constexpr index_t most_values = 0x7FFFFFFF;
  if (extent.height < 1 || extent.width < 1 || extent.channels < 1)
    throw config_error("an image of " + to_string(extent) +
                       ": height, width and channels must be positive");
  if (extent.height > most_values / extent.width || extent.pixels() > most_values / extent.channels)
    throw config_error("an image of " + to_string(extent) + " is too large: at most " +
                       std::to_string(most_values) + " values are possible");
}

}  // namespace mae
