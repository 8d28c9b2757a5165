#pragma once

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Of one channel: the count of its values, their mean and the sum of squared differences from it.
struct channel_moments {
  double count = 0;
  double mean = 0;
  double squares = 0;
};

/// The moments of both sets together (Chan, Golub, LeVeque 1983), free of the cancellation of
/// E[x^2] - E[x]^2.
constexpr channel_moments merge(channel_moments const& a, channel_moments const& b) {
  if (a.count == 0) return b;
  double const count = a.count + b.count;
  double const difference = b.mean - a.mean;
  return {count,
          a.mean + difference * (b.count / count),
          a.squares + b.squares + difference * difference * (a.count * b.count / count)};
}

/// The moments of one channel of an image, in two passes. `pixels` (H, W, C).
inline channel_moments measure_channel(std::span<float const> pixels,
                                       index_t channels,
                                       index_t channel) {
  auto const step = static_cast<std::size_t>(channels);
  auto const first = static_cast<std::size_t>(channel);
  // Relative to the first value, so that a constant channel has squares of exactly 0.
  double const pivot = pixels[first];
  double sum = 0;
  for (std::size_t i = first; i < pixels.size(); i += step) sum += pixels[i] - pivot;
  auto const pixel_count = static_cast<index_t>(pixels.size()) / channels;
  auto const count = static_cast<double>(pixel_count);
  double const mean = pivot + sum / count;
  double squares = 0;
  for (std::size_t i = first; i < pixels.size(); i += step)
    squares += (pixels[i] - mean) * (pixels[i] - mean);
  return {count, mean, squares};
}

namespace detail {

/// Throws config_error, which names the first of the images [first, last) that has a pixel which is
/// not finite; one of them has.
template <Dataset D>
[[noreturn]] void refuse_non_finite(D const& dataset, index_t first, index_t last) {
  std::vector<float> pixels(static_cast<std::size_t>(dataset.extent().values()));
  auto const is_finite = [&](index_t image) {
    dataset.read(image, pixels);
    return std::ranges::all_of(pixels, [](float value) { return std::isfinite(value); });
  };
  index_t image = first;
  while (image + 1 < last && is_finite(image)) ++image;
  throw config_error("image " + std::to_string(image) + " has a pixel that is not finite");
}

}  // namespace detail

/// The mean and the (population) standard deviation of each channel over all images, without
/// augmentation: in double, summed in an order that depends on the dataset alone, so that any
/// number of threads gives the same bits. A channel that is constant, to a float's rounding, gets
/// the deviation 1: normalised it is 0 everywhere, and nothing is divided by 0. Throws config_error
/// for a dataset without images, and for the first image that has a pixel which is not finite.
template <Dataset D>
pixel_statistics channel_statistics(D const& dataset, thread_pool& pool) {
  constexpr index_t images_a_chunk = 256;
  if (dataset.size() < 1) throw config_error("a dataset without images has no pixel statistics");
  index_t const channels = dataset.extent().channels;
  auto const values = static_cast<std::size_t>(dataset.extent().values());
  std::vector<std::vector<float>> pixels(static_cast<std::size_t>(pool.size()),
                                         std::vector<float>(values));
  // (chunks, C)
  std::vector<channel_moments> sums(
      static_cast<std::size_t>(ceil_div(dataset.size(), images_a_chunk) * channels));

  pool.for_ranges(dataset.size(), images_a_chunk, [&](index_t first, index_t last, int worker) {
    std::span<float> const image = pixels[static_cast<std::size_t>(worker)];
    channel_moments* const chunk = sums.data() + first / images_a_chunk * channels;
    for (index_t i = first; i < last; ++i) {
      dataset.read(i, image);
      for (index_t c = 0; c < channels; ++c)
        chunk[c] = merge(chunk[c], measure_channel(image, channels, c));
    }
  });

  for (std::size_t i = 0; i < sums.size(); ++i) {
    index_t const first = static_cast<index_t>(i) / channels * images_a_chunk;
    if (!std::isfinite(sums[i].squares))
      detail::refuse_non_finite(dataset, first, std::min(first + images_a_chunk, dataset.size()));
  }
  pixel_statistics statistics{.mean = {}, .deviation = {}, .scale = dataset.pixel_scale()};
  for (index_t c = 0; c < channels; ++c) {
    channel_moments all;
    for (auto i = static_cast<std::size_t>(c); i < sums.size();
         i += static_cast<std::size_t>(channels))
      all = merge(all, sums[i]);
    double const deviation = std::sqrt(all.squares / all.count);
    bool const constant = deviation <= std::abs(all.mean) * 0x1p-22;
    statistics.mean.push_back(all.mean);
    statistics.deviation.push_back(constant ? 1.0 : deviation);
  }
  return statistics;
}

/// ImageNet's, by which the official models and most others normalise images of three channels.
inline pixel_statistics imagenet_statistics() {
  return {.mean = {0.485, 0.456, 0.406}, .deviation = {0.229, 0.224, 0.225}, .scale = 1.0 / 255.0};
}

}  // namespace mae
