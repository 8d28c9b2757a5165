#pragma once

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/train/batch_options.hpp>
#include <mae/train/training_batch.hpp>

#include <cstddef>
#include <cstdint>

namespace mae {

/// Names the noise of a sample.
inline stream_key noise_key(batch_options const& options,
                            batch_images const& numbers,
                            index_t place,
                            std::uint32_t epoch) {
  return numbers.key(place, options.noise_purpose, options.seed, epoch);
}

/// Adds each sample's noise to those of its patches that the encoder sees.
template <class T, std::size_t NumHeads>
void add_noise(batch_options const& options,
               batch_images const& numbers,
               std::uint32_t epoch,
               thread_pool& threads,
               training_batch<T, NumHeads>& batch) {
  threads.for_each(numbers.size(), [&](index_t i, int /*worker*/) {
    auto const key = noise_key(options, numbers, i, epoch);
    auto const patches = batch.patches_of(i, i + 1);
    add_noise(
        noise_level(options.noise, key),
        key,
        batch.plan.visible(i),
        matrix_view<T>(batch.patches.data() + i * patches.size(), patches.rows, patches.cols));
  });
}

}  // namespace mae
