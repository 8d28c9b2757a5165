#pragma once

#include <mae/backend/eigen/symmetric_eigen.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/objective/principal.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mae {

struct principal_options {
  index_t dropped = 3;       // components of largest variance that are left out
  index_t patches = 65'536;  // to fit on
  std::uint64_t seed = 0;    // which those are
};

/// Throws config_error where none of a patch's components would be left.
inline void require_components(index_t dropped, index_t values) {
  if (dropped < 0 || dropped >= values)
    throw config_error("principal components: " + std::to_string(dropped) +
                       " are to be left out of the " + std::to_string(values) +
                       " that a patch has; at least one must stay");
}

inline namespace MAE_ISA {

/// The principal components of patches (n, P), n >= 2, without the first ones: eigenvectors of
/// their unbiased covariance. Throws config_error for too few patches or components, and for a
/// value that is not finite.
inline principal_basis fit_principal_components(matrix_view<float const> patches, index_t dropped) {
  index_t const count = patches.rows;
  index_t const values = patches.cols;
  require_components(dropped, values);
  if (count < 2) throw config_error("principal components need at least two patches");
  std::vector<double> mean(static_cast<std::size_t>(values), 0.0);
  for (index_t i = 0; i < count; ++i)
    for (index_t p = 0; p < values; ++p)
      mean[static_cast<std::size_t>(p)] += patches(i, p) / static_cast<double>(count);
  if (!std::ranges::all_of(mean, [](double value) { return std::isfinite(value); }))
    throw config_error("principal components: a patch has a value that is not finite");

  constexpr index_t chunk = 1024;
  std::vector<double> centred(static_cast<std::size_t>(std::min(chunk, count) * values));
  std::vector<double> products(static_cast<std::size_t>(values * values), 0.0);
  for (index_t first = 0; first < count; first += chunk) {
    index_t const size = std::min(chunk, count - first);
    for (index_t i = 0; i < size; ++i)
      for (index_t p = 0; p < values; ++p)
        centred[static_cast<std::size_t>(i * values + p)] =
            patches(first + i, p) - mean[static_cast<std::size_t>(p)];
    add_outer_products({centred.data(), size, values}, {products.data(), values, values});
  }
  auto const axes = axes_of({products.data(), values, values});
  principal_basis basis;
  basis.mean.assign(mean.begin(), mean.end());
  basis.patches = count;
  basis.components.assign(axes.vectors.begin() + dropped * values, axes.vectors.end());
  for (double const value : axes.values)
    basis.variances.push_back(
        static_cast<float>(std::max(0.0, value) / static_cast<double>(count - 1)));
  return basis;
}

/// Draws training patches by the seed and fits on them: an image for every sixteen, as `read(index,
/// pixels (H, W, C))` gives it from several threads at once, in the units of the dataset's
/// statistics. Fit what will be predicted: a crop that is enlarged is smoother than its original.
/// The same bits for any number of threads. Throws likewise.
template <class Read>
principal_basis fit_principal_components(principal_options const& options,
                                         index_t images,
                                         model_config const& config,
                                         pixel_statistics const& statistics,
                                         Read const& read,
                                         thread_pool& threads) {
  constexpr index_t of_image = 16;
  require_components(options.dropped, config.patch_values());
  if (images < 1) throw config_error("principal components need images to be fitted on");
  index_t const values = config.patch_values();
  std::vector<float> drawn(static_cast<std::size_t>(options.patches * values));
  threads.for_each(ceil_div(options.patches, of_image), [&](index_t group, int /*worker*/) {
    random_stream random({.seed = options.seed,
                          .use = purpose::principal,
                          .index = static_cast<std::uint64_t>(group)});
    std::vector<float> pixels(static_cast<std::size_t>(config.image.values()));
    std::vector<float> cut(pixels.size());
    read(random.below(static_cast<std::uint64_t>(images)), pixels);
    normalise_pixels(pixels, statistics);
    matrix_view<float> const patches(cut.data(), config.num_patches(), values);
    patchify(pixels, config.image, config.patch, patches);
    index_t const last = std::min(options.patches, (group + 1) * of_image);
    for (index_t i = group * of_image; i < last; ++i)
      std::ranges::copy(patches.row(random.below(static_cast<std::uint64_t>(config.num_patches()))),
                        drawn.begin() + i * values);
  });
  return fit_principal_components({drawn.data(), options.patches, values}, options.dropped);
}

}  // namespace MAE_ISA
}  // namespace mae
