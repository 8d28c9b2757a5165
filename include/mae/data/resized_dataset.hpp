#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/resize.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// A dataset's images at another height and width, resampled as PIL does whenever one is read:
/// 8-bit images (those with a pixel scale) by byte_resizer. Owns the dataset; those in memory share
/// their pixels.
template <Dataset D>
class resized_dataset {
 public:
  /// Throws config_error for another number of channels.
  resized_dataset(D dataset, image_extent extent, interpolation kind = interpolation::bicubic)
      : dataset_(std::move(dataset)), extent_(extent), kind_(kind) {
    require_valid(extent);
    if (extent.channels != dataset_.extent().channels)
      throw config_error("images of " + to_string(dataset_.extent()) + " cannot become images of " +
                         to_string(extent) + ": they have other channels");
  }
  /// The images as they are.
  explicit resized_dataset(D dataset)
      : dataset_(std::move(dataset)), extent_(dataset_.extent()), kind_(interpolation::bicubic) {}

  /// The dataset whose images are resampled.
  D const& original() const { return dataset_; }

  image_extent extent() const { return extent_; }
  index_t size() const { return dataset_.size(); }
  double pixel_scale() const { return dataset_.pixel_scale(); }
  index_t num_classes() const { return dataset_.num_classes(); }
  index_t label(index_t index) const { return dataset_.label(index); }

  void read(index_t index, std::span<float> pixels) const {
    auto const stored_extent = dataset_.extent();
    if (stored_extent == extent_) return dataset_.read(index, pixels);
    thread_local std::vector<float> stored;
    stored.resize(static_cast<std::size_t>(stored_extent.values()));
    dataset_.read(index, stored);
    image_crop const all{.box = {0, 0, stored_extent.height, stored_extent.width}};
    if (dataset_.pixel_scale() == 1.0) {
      thread_local image_resizer resizer;
      return resizer({stored, stored_extent}, all, kind_, {pixels, extent_});
    }
    thread_local byte_resizer resizer;
    constexpr float largest = 255.0F;
    for (float& value : stored) value = std::round(value * largest);
    resizer({stored, stored_extent}, all, kind_, {pixels, extent_});
    for (float& value : pixels) value /= largest;
  }

 private:
  D dataset_;
  image_extent extent_;
  interpolation kind_;
};

}  // namespace mae
