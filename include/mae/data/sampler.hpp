#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// Puts `items` into an order in which every permutation is equally likely (Fisher and Yates, in
/// Durstenfeld's form, 1964).
template <class T>
void shuffle(std::span<T> items, random_stream& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

/// The order in which an epoch shows its images: a permutation that depends on seed and epoch
/// alone, cut into batches; the images after the last whole batch are left out of that epoch. There
/// is no other state, so that a resumed run sees what an uninterrupted one would have seen.
class epoch_sampler {
 public:
  /// Throws config_error for a batch of less than one image or of more than the dataset has, and
  /// for a dataset of more than 2^31 - 1 images.
  epoch_sampler(index_t dataset_size, index_t batch_size, std::uint64_t seed)
      : batch_size_(checked(batch_size, dataset_size)),
        seed_(seed),
        order_(static_cast<std::size_t>(dataset_size)) {
    order_epoch(0);
  }

  index_t batch_size() const noexcept { return batch_size_; }
  index_t dataset_size() const noexcept { return static_cast<index_t>(order_.size()); }
  /// How many whole batches an epoch has.
  index_t steps_per_epoch() const noexcept {
    return static_cast<index_t>(order_.size()) / batch_size_;
  }

  /// The numbers of the images of a step, step in [0, steps_per_epoch()). Valid until the next call
  /// with another epoch, which takes time proportional to the dataset and allocates nothing.
  std::span<image_index const> indices(std::uint32_t epoch, index_t step) {
    assert(step >= 0 && step < steps_per_epoch());
    if (epoch_ != epoch) order_epoch(epoch);
    return {order_.data() + step * batch_size_, static_cast<std::size_t>(batch_size_)};
  }

 private:
  static index_t checked(index_t batch_size, index_t dataset_size) {
    if (dataset_size > std::numeric_limits<image_index>::max())
      throw config_error("a dataset of " + std::to_string(dataset_size) +
                         " images: at most 2^31 - 1 can be shuffled");
    if (batch_size < 1) throw config_error("a batch needs at least one image");
    if (batch_size > dataset_size)
      throw config_error("a batch of " + std::to_string(batch_size) +
                         " images is larger than the dataset, which has " +
                         std::to_string(dataset_size));
    return batch_size;
  }

  void order_epoch(std::uint32_t epoch) {
    random_stream random({.seed = seed_, .use = purpose::shuffle, .epoch = epoch});
    std::iota(order_.begin(), order_.end(), image_index{0});
    shuffle(std::span(order_), random);
    epoch_ = epoch;
  }

  index_t batch_size_;
  std::uint64_t seed_;
  std::uint32_t epoch_ = 0;
  std::vector<image_index> order_;  // a permutation of the dataset, of epoch_
};

}  // namespace mae
