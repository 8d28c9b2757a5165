#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <concepts>
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
