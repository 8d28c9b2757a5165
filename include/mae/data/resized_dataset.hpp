#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
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
  D const& original() const& { return dataset_; }
  D const& original() const&& = delete;

  image_extent extent() const { return extent_; }
  index_t size() const { return dataset_.size(); }
  double pixel_scale() const { return dataset_.pixel_scale(); }
  index_t num_classes() const { return dataset_.num_classes(); }
  index_t label(index_t index) const { return dataset_.label(index); }
  /// Of the original and of what becomes of it, without resampling anything.
  std::uint64_t fingerprint() const {
    auto const original = mae::fingerprint(dataset_);
    if (dataset_.extent() == extent_) return original;
    return fingerprint_hash{}
        .add(original)
        .add(extent_)
        .add(static_cast<std::uint8_t>(kind_))
        .value();
  }

  void read(index_t index, std::span<float> pixels) const {
    auto const stored_extent = dataset_.extent();
    if (stored_extent == extent_) return dataset_.read(index, pixels);
    thread_local std::vector<float> stored;
    stored.resize(static_cast<std::size_t>(stored_extent.values()));
    dataset_.read(index, stored);
    pixel_box const all{0, 0, stored_extent.height, stored_extent.width};
    if (dataset_.pixel_scale() == 1.0) {
      thread_local image_resizer resizer;
      return resizer({stored, stored_extent}, {.box = all}, kind_, {pixels, extent_});
    }
    read_bytes(stored, all, pixels);
  }

 private:
  void read_bytes(std::vector<float> const& stored,
                  pixel_box const& all,
                  std::span<float> pixels) const {
    constexpr float largest = 255.0F;
    thread_local byte_resizer resizer;
    thread_local std::vector<std::uint8_t> bytes;
    thread_local std::vector<std::uint8_t> resized;
    bytes.resize(stored.size());
    resized.resize(pixels.size());
    std::ranges::transform(stored, bytes.begin(), [](float value) {
      return static_cast<std::uint8_t>(std::round(value * largest));
    });
    resizer({bytes, {all.height, all.width, extent_.channels}},
            resampling::whole(all, extent_.height, extent_.width),
            kind_,
            {resized, extent_});
    std::ranges::transform(resized, pixels.begin(), [](std::uint8_t value) {
      return static_cast<float>(value) / largest;
    });
  }

  D dataset_;
  image_extent extent_;
  interpolation kind_;
};

}  // namespace mae
