#pragma once

#include "choices.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/resize.hpp>
#include <mae/data/resized_dataset.hpp>
#include <mae/images/image_limits.hpp>
#include <mae/images/picture_fit.hpp>

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace mae {
class thread_pool;
class synthetic_dataset;
extern template class resized_dataset<memory_dataset<std::uint8_t>>;  // compiled once, in
                                                                      // images.cpp
}  // namespace mae

namespace pretrain {

struct data_source;

/// One type for all images, so that no model is compiled twice: 8-bit images in memory, at a
/// model's size.
using image_set = mae::resized_dataset<mae::memory_dataset<std::uint8_t>>;

struct image_sets {
  image_set train;
  image_set test;
  std::string name;  // "cifar10", "synthetic", or the folder of the pictures
  std::string train_name = "the training images";
  std::string test_name = "the test images";
  std::vector<std::string> class_names = {};  // of pictures and CIFAR-10
};

/// What the images are to be.
struct image_request {
  mae::image_extent extent;
  bool skip_unreadable = false;   // pictures: leave out what cannot be decoded
  mae::image_limits limits = {};  // pictures
  mae::picture_fit fit = {};      // pictures
  mae::interpolation kind = mae::interpolation::bicubic;
  test_choice tests = {};
  bool graded = true;  // pictures: tests need classes where the training has some
};

/// What the synthetic images are painted by.
mae::synthetic_dataset synthetic_train_images();
mae::synthetic_dataset synthetic_test_images();

/// Loads CIFAR-10, or a folder of pictures, or paints the synthetic set. What is assumed or left
/// out of pictures is a line on `notes`. Throws what the library's loaders and split_pictures
/// throw.
image_sets load_images(data_source const& source,
                       image_request const& request,
                       mae::thread_pool& threads,
                       std::ostream& notes);

/// Another view of each of the first `count` images, the same in every run: a random crop of half
/// of its area or more, resized to the whole, half of them mirrored.
image_set crops_of(image_set const& images, mae::index_t count);

/// Throws config_error, which says `otherwise` too, for images without classes.
void require_classes(image_sets const& images, std::string const& otherwise = "");

}  // namespace pretrain
