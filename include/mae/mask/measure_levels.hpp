#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/density.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/policy.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Levels that each have as many of a training set's patches: `count` of them, over `images` images
/// as `read(index, pixels (H, W, C))` gives them, from several threads at once; as
/// measure_saliency. Throws config_error where there is no image, for fewer levels than two or more
/// than patches, and where so many patches are equally dense that two bounds would be one.
template <class Read>
patch_levels measure_levels(index_t count,
                            density_measure measure,
                            index_t images,
                            image_extent const& extent,
                            patch_extent const& patch,
                            Read const& read,
                            thread_pool& threads) {
  if (images < 1) throw config_error("levels need at least one image to be measured on");
  index_t const patch_values = patch.height * patch.width * extent.channels;
  index_t const of_image = extent.values() / patch_values;
  auto const all = static_cast<std::size_t>(images * of_image);
  if (count < 2 || count > most_levels || static_cast<std::size_t>(count) > all)
    throw config_error("patches have from 2 to " + std::to_string(most_levels) +
                       " levels of density, and no more than there are patches (" +
                       std::to_string(all) + "), not " + std::to_string(count));
  std::vector<std::vector<float>> work(static_cast<std::size_t>(threads.size()));
  std::vector<float> found(all);
  threads.for_each(images, [&](index_t index, int worker) {
    auto& own = work[static_cast<std::size_t>(worker)];
    auto const values = static_cast<std::size_t>(extent.values());
    own.resize(2 * values);
    std::span<float> const pixels(own.data(), values);
    matrix_view<float> const patches(own.data() + values, of_image, patch_values);
    read(index, pixels);
    patchify(pixels, extent, patch, patches);
    patch_densities(measure,
                    {.patches = patches, .channels = extent.channels, .patch_width = patch.width},
                    std::span(found).subspan(static_cast<std::size_t>(index * of_image),
                                             static_cast<std::size_t>(of_image)));
  });
  for (float const density : found)
    if (!std::isfinite(density))
      throw config_error("a patch's density is not finite: levels need images without NaN");
  std::sort(found.begin(), found.end());
  patch_levels levels{.measure = measure};
  for (index_t level = 1; level < count; ++level)
    levels.bounds.push_back(
        found[all * static_cast<std::size_t>(level) / static_cast<std::size_t>(count)]);
  bool const begins = levels.bounds.front() > found.front();
  if (!begins ||
      std::adjacent_find(levels.bounds.begin(), levels.bounds.end()) != levels.bounds.end())
    throw config_error("the images' patches are so often equally dense that they have no " +
                       std::to_string(count) +
                       " levels: take fewer (--density-token), or another measure");
  return levels;
}

}  // namespace mae
