#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/patch_density.hpp>
#include <mae/mask/policy.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

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
