#pragma once

#include <mae/data/dataset.hpp>

#include <cassert>
#include <cstddef>
#include <span>

namespace mae {

/// From scaled units to the network's input, in place: (x - mean) / deviation of x's channel; as
/// they are without statistics. `pixels` (..., C), channel fastest.
inline void normalise_pixels(std::span<float> pixels, pixel_statistics const& statistics) {
  std::size_t const channels = statistics.mean.size();
  assert(statistics.deviation.size() == channels);
  assert(channels == 0 || pixels.size() % channels == 0);
  for (std::size_t c = 0; c < channels; ++c) {
    auto const mean = static_cast<float>(statistics.mean[c]);
    auto const factor = static_cast<float>(1.0 / statistics.deviation[c]);
    for (std::size_t i = c; i < pixels.size(); i += channels)
      pixels[i] = (pixels[i] - mean) * factor;
  }
}

/// The inverse of normalise_pixels, to a float's rounding.
inline void denormalise_pixels(std::span<float> pixels, pixel_statistics const& statistics) {
  std::size_t const channels = statistics.mean.size();
  assert(statistics.deviation.size() == channels);
  assert(channels == 0 || pixels.size() % channels == 0);
  for (std::size_t c = 0; c < channels; ++c) {
    auto const mean = static_cast<float>(statistics.mean[c]);
    auto const deviation = static_cast<float>(statistics.deviation[c]);
    for (std::size_t i = c; i < pixels.size(); i += channels)
      pixels[i] = pixels[i] * deviation + mean;
  }
}

}  // namespace mae
