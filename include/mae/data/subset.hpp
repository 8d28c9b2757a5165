#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>

#include <cstdint>
#include <span>
#include <string>

namespace mae {

/// Images [first, first + size) of a dataset that the caller keeps alive: for a held-out part, or a
/// quick look. Images are numbered from 0 again.
template <Dataset D>
class subset {
 public:
  /// Throws config_error for a range that the dataset does not have.
  subset(D const& dataset, index_t first, index_t size)
      : dataset_(&dataset), first_(first), size_(size) {
    if (first < 0 || size < 1 || size > dataset.size() || first > dataset.size() - size)
      throw config_error("a subset of " + std::to_string(size) + " images from image " +
                         std::to_string(first) + " on, of a dataset of " +
                         std::to_string(dataset.size()));
  }
  subset(D const&& must_outlive_the_subset, index_t first, index_t size) = delete;

  image_extent extent() const { return dataset_->extent(); }
  index_t size() const { return size_; }
  double pixel_scale() const { return dataset_->pixel_scale(); }
  index_t num_classes() const { return dataset_->num_classes(); }
  index_t label(index_t index) const { return dataset_->label(first_ + index); }
  std::uint64_t fingerprint() const {
    return fingerprint_hash{}.add(mae::fingerprint(*dataset_)).add(first_).add(size_).value();
  }
  void read(index_t index, std::span<float> pixels) const {
    dataset_->read(first_ + index, pixels);
  }

 private:
  D const* dataset_;
  index_t first_;
  index_t size_;
};

}  // namespace mae
