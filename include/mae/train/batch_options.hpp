#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/colour_changes.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/data/rand_augment.hpp>
#include <mae/train/mixing.hpp>
#include <mae/train/options.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>

namespace mae {

/// Where a training stands, for masks that change with it.
struct training_moment {
  std::int64_t step = 0;
  index_t epoch = 0;
  double progress = 0;  // in [0, 1]
};

/// What a batch_loader makes its batches by.
struct batch_options {
  std::uint64_t seed = 0;
  purpose mask_purpose = purpose::mask;
  std::optional<augmentation> augment = {};  // none: images as they are
  local_crops local = {};
  index_t first_local = most_views;  // of an image's views, where some are local
  colour_changes colours = {};
  rand_augment changes = {};
  double erasing = 0;
  mixing mix = {};
  double drop_path = 0;
  index_t painted_views = 0;
  double predicted_share = 1;
  pixel_noise noise = {};
  purpose noise_purpose = purpose::noise;
};

/// Those of a training.
inline batch_options batch_options_of(training_options const& options) {
  return {.seed = options.seed,
          .augment = options.augment,
          .local = options.local,
          .first_local = options.views - options.local.views,
          .colours = options.colours,
          .changes = options.changes,
          .erasing = options.erasing,
          .mix = options.mix,
          .drop_path = options.drop_path,
          .painted_views = options.painted_views,
          .predicted_share = options.predicted_share,
          .noise = options.noise};
}

/// The images of a batch, and which of their samples, [first, last), a process loads: with several
/// views an image is as many samples, one after the other.
struct batch_images {
  template <class Range>             // of image_index
  batch_images(Range const& images)  // NOLINT(google-explicit-constructor): all of them
      : all(images), last(std::ssize(all)) {}
  batch_images(std::span<image_index const> images, index_t from, index_t to, index_t of_each = 1)
      : all(images), first(from), last(to), views(of_each) {}

  std::span<image_index const> all;
  index_t first = 0;
  index_t last;
  index_t views = 1;

  index_t size() const { return last - first; }
  /// All samples of all images.
  batch_images whole() const { return {all, 0, std::ssize(all) * views, views}; }
  /// The image of a sample, by its place among those that are loaded.
  image_index operator[](index_t place) const { return all[number_of(place)]; }
  /// Which of its image's views a sample is.
  std::uint8_t view(index_t place) const {
    return static_cast<std::uint8_t>((first + place) % views);
  }
  /// Names the random numbers of a sample for one use.
  stream_key key(index_t place, purpose use, std::uint64_t seed, std::uint32_t epoch) const {
    return {.seed = seed,
            .use = use,
            .epoch = epoch,
            .index = static_cast<std::uint64_t>((*this)[place]),
            .view = view(place)};
  }
  /// What it is mixed with: the first of the batch with the last, and so on.
  image_index partner(index_t place) const { return all[all.size() - 1 - number_of(place)]; }

 private:
  std::size_t number_of(index_t place) const {
    return static_cast<std::size_t>((first + place) / views);
  }
};

}  // namespace mae
