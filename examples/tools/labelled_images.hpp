#pragma once

#include "images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tools {

/// Where a pixel of a model's image lies in the picture that it was made of:
/// picture = offset + scale * image, in pixels.
struct picture_place {
  float x_offset = 0;
  float x_scale = 1;
  float y_offset = 0;
  float y_scale = 1;

  mae::keypoint in_picture(mae::keypoint point) const {
    return {x_offset + x_scale * point.x, y_offset + y_scale * point.y, point.visible};
  }
  mae::keypoint in_image(mae::keypoint point) const {
    return {(point.x - x_offset) / x_scale, (point.y - y_offset) / y_scale, point.visible};
  }
};

/// What is said of the places of a set's images, each at its image's size. Empty where nothing is.
struct place_labels {
  std::vector<std::uint8_t> masks;       // (n, H, W), classes
  std::vector<std::uint16_t> instances;  // (n, H, W), 0 where there is none
  std::vector<mae::keypoint> points;     // (n, J), in pixels of the images
  mae::index_t num_points = 0;           // J
  std::vector<picture_place> places;     // (n)
  std::vector<std::string> names;        // (n), of the pictures
};

/// Images with labels of their places.
struct labelled_images {
  pretrain::image_set images;
  place_labels places = {};
};

/// Some images of a set, by their numbers there, with what is said of them.
class chosen_images {
 public:
  /// `from` must outlive this object.
  chosen_images(labelled_images const& from, std::vector<mae::index_t> numbers)
      : from_(&from), numbers_(std::move(numbers)) {}
  /// All of them.
  explicit chosen_images(labelled_images const& from)
      : chosen_images(from,
                      std::vector<mae::index_t>(static_cast<std::size_t>(from.images.size()))) {
    std::iota(numbers_.begin(), numbers_.end(), mae::index_t{0});
  }

  mae::image_extent extent() const { return from_->images.extent(); }
  mae::index_t size() const { return std::ssize(numbers_); }
  double pixel_scale() const { return from_->images.pixel_scale(); }
  mae::index_t num_classes() const { return from_->images.num_classes(); }
  mae::index_t label(mae::index_t image) const { return from_->images.label(number(image)); }
  void read(mae::index_t image, std::span<float> pixels) const {
    from_->images.read(number(image), pixels);
  }
  void annotate(mae::index_t image, mae::annotation& to) const {
    auto const& said = from_->places;
    copy_part(said.masks, number(image), extent().pixels(), to.mask);
    copy_part(said.points, number(image), said.num_points, to.points);
  }
  /// An image's instances (H, W), of a set that has them.
  std::span<std::uint16_t const> instances(mae::index_t image) const {
    auto const pixels = static_cast<std::size_t>(extent().pixels());
    return std::span(from_->places.instances)
        .subspan(static_cast<std::size_t>(number(image)) * pixels, pixels);
  }
  /// Of the images and of all that is said of them.
  std::uint64_t fingerprint() const {
    auto const& said = from_->places;
    mae::fingerprint_hash hash;
    hash.add(mae::fingerprint(from_->images)).add(std::as_bytes(std::span(numbers_)));
    hash.add(std::as_bytes(std::span(said.masks))).add(said.num_points);
    for (auto const& point : said.points) hash.add(point.x).add(point.y).add(point.visible);
    return hash.value();
  }
  std::vector<mae::index_t> const& numbers() const { return numbers_; }
  mae::index_t number(mae::index_t image) const {
    return numbers_[static_cast<std::size_t>(image)];
  }
  place_labels const& places() const { return from_->places; }
  /// The set that they are of, whole.
  pretrain::image_set const& whole_set() const { return from_->images; }

 private:
  template <class T>
  static void copy_part(std::vector<T> const& all,
                        mae::index_t part,
                        mae::index_t size,
                        std::vector<T>& to) {
    to.clear();
    if (!all.empty()) to.assign(all.begin() + part * size, all.begin() + (part + 1) * size);
  }

  labelled_images const* from_;
  std::vector<mae::index_t> numbers_;
};
static_assert(mae::AnnotatedDataset<chosen_images>);

/// A picture's name, or an image's number.
inline std::string name_of(chosen_images const& images, mae::index_t image) {
  auto const& names = images.places().names;
  auto const number = images.number(image);
  return names.empty() ? std::to_string(number) : names[static_cast<std::size_t>(number)];
}

/// images.csv: which images were chosen, with their classes, and names where they have some.
inline std::string choice_csv(chosen_images const& chosen) {
  auto const& names = chosen.places().names;
  std::string text = names.empty() ? "image,class\r\n" : "image,class,name\r\n";
  for (mae::index_t i = 0; i < chosen.size(); ++i) {
    mae::index_t const number = chosen.number(i);
    text += std::to_string(number) + ',' +
            (chosen.label(i) < 0 ? std::string() : std::to_string(chosen.label(i)));
    if (!names.empty()) text += ',' + mae::csv_field(names[static_cast<std::size_t>(number)]);
    text += "\r\n";
  }
  return text;
}

}  // namespace tools
