#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// The log-information s = log(v + v0) of one patch: v is its variance per channel, averaged over
/// the channels (a plain red patch holds no information), v0 = (4/255)^2 about the noise of an
/// 8-bit image. `patch` (P) in [0, 1], channel fastest. Sums are taken in double, so that the
/// difference of squares loses nothing that the floats had.
inline double log_information(std::span<float const> patch, index_t channels) {
  constexpr double noise = (4.0 / 255.0) * (4.0 / 255.0);
  auto const values = static_cast<index_t>(patch.size());
  index_t const count = values / channels;
  auto const pixels = static_cast<double>(count);
  double variances = 0.0;
  for (index_t channel = 0; channel < channels; ++channel) {
    double sum = 0.0;
    double squares = 0.0;
    for (index_t i = channel; i < values; i += channels) {
      double const value = patch[static_cast<std::size_t>(i)];
      sum += value;
      squares += value * value;
    }
    double const mean = sum / pixels;
    variances += std::max(0.0, squares / pixels - mean * mean);
  }
  return std::log(variances / static_cast<double>(channels) + noise);
}

/// The mean log-information of an image's patches (N, P).
inline double mean_log_information(matrix_view<float const> patches, index_t channels) {
  double sum = 0.0;
  for (index_t i = 0; i < patches.rows; ++i) sum += log_information(patches.row(i), channels);
  return sum / static_cast<double>(patches.rows);
}

/// How the images' mean log-information is distributed over a training set: the yardstick by which
/// a saliency mask calls one image busier than another. Kept in the checkpoint.
struct saliency_statistics {
  double mean = 0.0;
  double deviation = 0.0;

  friend bool operator==(saliency_statistics const&, saliency_statistics const&) = default;
};

/// Measures the statistics over `images` images as `read(index, pixels (H, W, C))` gives them, from
/// several threads at once. Measure what the mask will see: a crop that is enlarged is smoother
/// than its original. The result does not depend on the number of threads.
/// Throws config_error where there is no image.
template <class Read>
saliency_statistics measure_saliency(index_t images,
                                     image_extent const& extent,
                                     patch_extent const& patch,
                                     Read const& read,
                                     thread_pool& threads) {
  if (images < 1) throw config_error("saliency needs at least one image to be measured on");
  index_t const patch_values = patch.height * patch.width * extent.channels;
  struct workspace {
    host_buffer<float> pixels;
    host_buffer<float> patches;
  };
  std::vector<workspace> workspaces;
  for (int worker = 0; worker < threads.size(); ++worker)
    workspaces.push_back(
        {host_buffer<float>(extent.values()), host_buffer<float>(extent.values())});

  std::vector<double> information(static_cast<std::size_t>(images));
  threads.for_each(images, [&](index_t index, int worker) {
    workspace& own = workspaces[static_cast<std::size_t>(worker)];
    auto const patches = own.patches.matrix(extent.values() / patch_values, patch_values);
    read(index, own.pixels.span());
    patchify(own.pixels.span(), extent, patch, patches);
    information[static_cast<std::size_t>(index)] = mean_log_information(patches, extent.channels);
  });

  double sum = 0.0;
  for (double const value : information) sum += value;
  double const mean = sum / static_cast<double>(images);
  double squares = 0.0;
  for (double const value : information) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / static_cast<double>(images))};
}

/// Measures the statistics over a dataset's images as they are stored.
template <Dataset D>
saliency_statistics measure_saliency(D const& dataset,
                                     patch_extent const& patch,
                                     thread_pool& threads) {
  return measure_saliency(
      dataset.size(),
      dataset.extent(),
      patch,
      [&](index_t index, std::span<float> pixels) { dataset.read(index, pixels); },
      threads);
}

}  // namespace mae
