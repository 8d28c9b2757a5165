#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/log_information.hpp>
#include <mae/mask/policy.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

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
/// between patches of one size.
inline double patch_density(density_measure measure,
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

namespace detail {

inline void require_patch_width(mask_context const& image) {
  index_t const row = image.patch_width * image.channels;
  if (row < 1 || image.patches.cols % row != 0)
    throw config_error("a mask by density needs the patches' width: mask_context has patch_width " +
                       std::to_string(image.patch_width) + " for patches of " +
                       std::to_string(image.patches.cols) + " values");
}

}  // namespace detail

/// The densities of an image's patches (N). Throws config_error for a patch_width that is none.
inline void patch_densities(density_measure measure,
                            mask_context const& image,
                            std::span<float> densities) {
  detail::require_patch_width(image);
  for (std::size_t i = 0; i < densities.size(); ++i)
    densities[i] = static_cast<float>(patch_density(
        measure, image.patches.row(static_cast<index_t>(i)), image.channels, image.patch_width));
}

/// The mean of them.
inline double image_density(density_measure measure, mask_context const& image) {
  detail::require_patch_width(image);
  double sum = 0;
  for (index_t i = 0; i < image.patches.rows; ++i)
    sum += patch_density(measure, image.patches.row(i), image.channels, image.patch_width);
  return sum / static_cast<double>(image.patches.rows);
}

/// How the densities of a training set's images are distributed: their quantiles at even steps from
/// the least to the greatest; of few images all of them.
using density_quantiles = std::vector<float>;

/// The share of a distribution that lies below a density, in [0, 1]; between quantiles by a
/// straight line, in the middle of equal ones. Two quantiles or more, in ascending order.
inline double place_among(std::span<float const> quantiles, float density) {
  auto const [first, last] = std::equal_range(quantiles.begin(), quantiles.end(), density);
  auto const steps = static_cast<double>(quantiles.size() - 1);
  if (first != last)
    return static_cast<double>((first - quantiles.begin()) + (last - quantiles.begin()) - 1) / 2 /
           steps;
  if (first == quantiles.begin()) return 0;
  if (first == quantiles.end()) return 1;
  double const past = (density - first[-1]) / static_cast<double>(*first - first[-1]);
  return (static_cast<double>(first - quantiles.begin()) - 1 + past) / steps;
}

/// Measures the distribution over `images` images as `read(index, pixels (H, W, C))` gives them,
/// from several threads at once; as measure_saliency. Throws config_error where there is no image.
template <class Read>
density_quantiles measure_density(density_measure measure,
                                  index_t images,
                                  image_extent const& extent,
                                  patch_extent const& patch,
                                  Read const& read,
                                  thread_pool& threads) {
  constexpr std::size_t steps = 256;
  if (images < 1) throw config_error("densities need at least one image to be measured on");
  index_t const patch_values = patch.height * patch.width * extent.channels;
  struct workspace {
    host_buffer<float> pixels, patches;
  };
  std::vector<workspace> workspaces;
  for (int worker = 0; worker < threads.size(); ++worker)
    workspaces.push_back(
        {host_buffer<float>(extent.values()), host_buffer<float>(extent.values())});
  std::vector<float> found(static_cast<std::size_t>(images));
  threads.for_each(images, [&](index_t index, int worker) {
    workspace& own = workspaces[static_cast<std::size_t>(worker)];
    auto const patches = own.patches.matrix(extent.values() / patch_values, patch_values);
    read(index, own.pixels.span());
    patchify(own.pixels.span(), extent, patch, patches);
    found[static_cast<std::size_t>(index)] = static_cast<float>(image_density(
        measure, {.patches = patches, .channels = extent.channels, .patch_width = patch.width}));
  });
  std::sort(found.begin(), found.end());
  if (found.size() == 1) found.push_back(found.front());
  if (found.size() <= steps + 1) return found;
  density_quantiles quantiles;
  for (std::size_t i = 0; i <= steps; ++i)
    quantiles.push_back(found[i * (found.size() - 1) / steps]);
  return quantiles;
}

}  // namespace mae
