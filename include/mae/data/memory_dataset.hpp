#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// How the values of an image lie in memory: channel fastest (H, W, C), or one plane for each
/// channel (C, H, W).
enum class pixel_order : std::uint8_t { channels_last, planar };

/// How to read an array of images.
struct image_format {
  image_extent extent;
  pixel_order order = pixel_order::channels_last;
  double pixel_scale = 0;  // of a stored value; 0: 1/255 for 8-bit values, 1 for floats
};

/// What the images show: one class in [0, num_classes) for each image, or nothing at all.
struct image_labels {
  std::vector<std::int32_t> classes;  // (n), or empty
  index_t num_classes = 0;            // 0: one more than the highest label
};

/// A user's own images in memory: one array of n images of equal extent. Copies share the array,
/// which nobody writes to.
template <class T>
requires std::same_as<T, std::uint8_t> || std::same_as<T, float>
class memory_dataset {
 public:
  /// Owns `pixels`, n images one after the other, (n, H, W, C) or (n, C, H, W) by `format.order`.
  /// Throws config_error when the sizes do not agree, a label is out of range or a float is not
  /// finite.
  memory_dataset(std::vector<T> pixels, image_format const& format, image_labels labels = {})
      : memory_dataset(
            std::make_shared<std::vector<T> const>(std::move(pixels)), format, std::move(labels)) {}

  /// The same over an array that the caller keeps alive and unchanged.
  static memory_dataset view(std::span<T const> pixels,
                             image_format const& format,
                             image_labels labels = {}) {
    return memory_dataset(nullptr, pixels, format, std::move(labels));
  }
  static void view(std::vector<T>&& must_outlive_views, image_format, image_labels = {}) = delete;

  image_extent extent() const noexcept { return extent_; }
  index_t size() const noexcept { return size_; }
  double pixel_scale() const noexcept { return scale_; }
  index_t num_classes() const noexcept { return labels_.num_classes; }
  index_t label(index_t index) const {
    assert(index >= 0 && index < size_);
    return labels_.classes.empty() ? -1 : labels_.classes[static_cast<std::size_t>(index)];
  }

  /// Of all that it holds, every byte of the pixels too.
  std::uint64_t fingerprint() const {
    return fingerprint_hash{}
        .add_shape(*this)
        .add(static_cast<std::uint8_t>(order_))
        .add(std::as_bytes(pixels_))
        .value();
  }

  /// Image `index` in scaled units; `pixels` (H, W, C).
  void read(index_t index, std::span<float> pixels) const {
    assert(index >= 0 && index < size_);
    assert(static_cast<index_t>(pixels.size()) == extent_.values());
    T const* const stored = pixels_.data() + index * extent_.values();
    // Planes are read along themselves and written `channels` apart.
    bool const planar = order_ == pixel_order::planar;
    index_t const runs = planar ? extent_.channels : 1;
    index_t const length = extent_.values() / runs;
    for (index_t run = 0; run < runs; ++run)
      for (index_t i = 0; i < length; ++i)
        pixels[static_cast<std::size_t>(i * runs + run)] =
            static_cast<float>(stored[run * length + i] * scale_);
  }

 private:
  static constexpr double default_scale = std::same_as<T, float> ? 1.0 : 1.0 / 255.0;

  memory_dataset(std::shared_ptr<std::vector<T> const> owner,
                 image_format const& format,
                 image_labels labels)
      : memory_dataset(owner, std::span<T const>(*owner), format, std::move(labels)) {}

  memory_dataset(std::shared_ptr<std::vector<T> const> owner,
                 std::span<T const> pixels,
                 image_format const& format,
                 image_labels labels)
      : owner_(std::move(owner)),
        pixels_(pixels),
        extent_(format.extent),
        order_(format.order),
        scale_(format.pixel_scale == 0 ? default_scale : format.pixel_scale),
        labels_(std::move(labels)) {
    require_valid(extent_);
    check_pixels();
    check_labels();
  }

  void check_pixels() {
    auto const values = static_cast<index_t>(pixels_.size());
    std::string const images = "images of " + to_string(extent_);
    if (values == 0) throw config_error("a dataset without " + images + ": it needs at least one");
    if (values % extent_.values() != 0)
      throw config_error(std::to_string(values) + " values are no whole number of " + images +
                         ", which have " + std::to_string(extent_.values()) + " values each");
    if (!(scale_ > 0) || !std::isfinite(scale_))
      throw config_error("the pixel scale must be positive and finite, it is " +
                         std::to_string(scale_));
    size_ = values / extent_.values();
    if constexpr (std::same_as<T, float>) {
      for (index_t i = 0; i < values; ++i)
        if (!std::isfinite(pixels_[static_cast<std::size_t>(i)]))
          throw config_error("image " + std::to_string(i / extent_.values()) +
                             " has a pixel that is not finite");
    }
  }

  void check_labels() {
    auto const& classes = labels_.classes;
    if (labels_.num_classes < 0) throw config_error("the number of classes must not be negative");
    if (classes.empty()) {
      if (labels_.num_classes > 0) throw config_error("a number of classes, but no labels");
      return;
    }
    if (static_cast<index_t>(classes.size()) != size_)
      throw config_error(std::to_string(classes.size()) + " labels for " + std::to_string(size_) +
                         " images: each image needs one");
    index_t highest = 0;
    for (index_t const label : classes) highest = std::max(highest, label);
    if (labels_.num_classes == 0) labels_.num_classes = highest + 1;
    for (index_t i = 0; i < size_; ++i)
      if (label(i) < 0 || label(i) >= labels_.num_classes)
        throw config_error("image " + std::to_string(i) + " has the label " +
                           std::to_string(label(i)) + ", of " +
                           std::to_string(labels_.num_classes) + " classes");
  }

  std::shared_ptr<std::vector<T> const> owner_;  // null in a view
  std::span<T const> pixels_;
  image_extent extent_;
  pixel_order order_ = pixel_order::channels_last;
  double scale_ = 1;
  index_t size_ = 0;
  image_labels labels_;
};

static_assert(Dataset<memory_dataset<std::uint8_t>>);
static_assert(Dataset<memory_dataset<float>>);

}  // namespace mae
