#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/colour_changer.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/erasing.hpp>
#include <mae/data/rand_augment.hpp>
#include <mae/data/resize.hpp>
#include <mae/train/batch_options.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mae {

/// Reads images of a dataset as a training sees them. Owns its scratch memory: one object for each
/// worker; a call allocates nothing. Keeps a reference to the dataset.
template <Dataset D>
class image_views {
 public:
  image_views(D const& dataset, batch_options const& options, pixel_statistics const& statistics)
      : dataset_(dataset),
        options_(options),
        statistics_(statistics),
        stored_(static_cast<std::size_t>(dataset.extent().values())),
        varied_(stored_.size()),
        augmenter_(dataset.extent(), options.augment.value_or(augmentation{})),
        local_augmenter_(dataset.extent(), local_of(options)),
        colour_changer_(dataset.extent(), options.colours),
        changer_(dataset.extent(), statistics.mean) {}

  /// A view (H, W, C), in scaled units, of an image in an epoch, which depends on nothing else;
  /// valid until the next call, and may be changed.
  std::span<float> operator()(index_t index, std::uint32_t epoch, std::uint8_t view = 0) {
    auto const random = [&](purpose use) {
      return random_stream({.seed = options_.seed,
                            .use = use,
                            .epoch = epoch,
                            .index = static_cast<std::uint64_t>(index),
                            .view = view});
    };
    dataset_.read(index, stored_);
    part_ = {.box = {.height = dataset_.extent().height, .width = dataset_.extent().width}};
    std::span<float> pixels = stored_;
    if (options_.augment) {
      auto stream = random(purpose::augment);
      auto& vary = view < options_.first_local ? augmenter_ : local_augmenter_;
      part_ = vary(stored_, stream, varied_);
      pixels = varied_;
    }
    if (options_.colours.is_on()) {
      auto stream = random(purpose::colour);
      colour_changer_(stream, pixels);
    }
    if (options_.changes.is_on()) {
      auto stream = random(purpose::change);
      changer_(options_.changes, stream, pixels);
    }
    if (options_.erasing > 0) {
      auto stream = random(purpose::erase);
      erase_at_random(options_.erasing, dataset_.extent(), statistics_, stream, pixels);
    }
    return pixels;
  }
  /// Which part of its image the last view shows.
  image_crop const& part() const { return part_; }

 private:
  static augmentation local_of(batch_options const& options) {
    auto const of_others = options.augment.value_or(augmentation{});
    return options.local.views > 0 ? options.local.varied(of_others) : of_others;
  }

  D const& dataset_;
  batch_options options_;
  pixel_statistics statistics_;
  std::vector<float> stored_, varied_;
  augmenter augmenter_, local_augmenter_;
  colour_changer colour_changer_;
  image_changer changer_;
  image_crop part_;
};

}  // namespace mae
