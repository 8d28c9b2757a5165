#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cmath>
#include <limits>
#include <span>

namespace mae {

/// Gaussian noise on what an encoder sees, in the network's input units, in which the pixels of a
/// training set have mean 0 and deviation 1 (see pixel_statistics). An image's level sigma is drawn
/// log-uniformly of [sigma_min, sigma_max], or is both; 0 and 0: there is none.
struct pixel_noise {
  double sigma_min = 0;
  double sigma_max = 0;

  bool is_on() const { return sigma_max > 0; }
  friend bool operator==(pixel_noise const&, pixel_noise const&) = default;
};

/// Throws config_error for levels that are not finite, not above 0 (but for both 0), or in the
/// wrong order.
inline void require_valid(pixel_noise const& noise) {
  if (noise == pixel_noise{}) return;
  if (!(noise.sigma_min > 0 && noise.sigma_max <= std::numeric_limits<float>::max()))
    throw config_error(
        "the levels of noise must be finite and above 0; 0 for both leaves images as they are");
  if (noise.sigma_min > noise.sigma_max)
    throw config_error("the least level of noise must not be above the greatest");
}

/// The level sigma of a view of an image, which `key` names.
inline double noise_level(pixel_noise const& noise, stream_key const& key) {
  if (noise.sigma_min == noise.sigma_max) return noise.sigma_min;
  random_stream random(key);
  return noise.sigma_min * std::pow(noise.sigma_max / noise.sigma_min, random.uniform_double());
}

/// Adds sigma times standard normal numbers to the patches (N, P) that are seen. A value's number
/// is given by key and place alone, whichever patches a mask shows. `key` as for noise_level.
template <class T>
void add_noise(double sigma,
               stream_key const& key,
               std::span<patch_index const> seen,
               matrix_view<T> patches) {
  for (patch_index const patch : seen) {
    random_stream random(key);  // its first block was the level's
    random.pass_over(1 + static_cast<std::uint32_t>(patch * patches.cols));
    for (T& value : patches.row(patch)) value += static_cast<T>(sigma * random.normal());
  }
}

}  // namespace mae
