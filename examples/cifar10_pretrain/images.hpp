#pragma once

#include "data_source.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/resize.hpp>
#include <mae/data/resized_dataset.hpp>
#include <mae/images/image_limits.hpp>
#include <mae/images/picture_fit.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace pretrain {

/// One type for all images, so that no model is compiled twice: 8-bit images in memory, at a
/// model's size.
using image_set = mae::resized_dataset<mae::memory_dataset<std::uint8_t>>;

struct image_sets {
  image_set train;
  image_set test;
  std::string name;                     // "cifar10", "synthetic", or the folder of the pictures
  std::vector<std::string> notes = {};  // what the user should know: pictures that were left out
};

/// What the images are to be.
struct image_request {
  mae::image_extent extent;
  bool skip_unreadable = false;   // pictures: leave out what cannot be decoded
  mae::image_limits limits = {};  // pictures
  mae::picture_fit fit = {};      // pictures
  mae::interpolation kind = mae::interpolation::bicubic;
};

/// Loads CIFAR-10, or a folder of pictures, or paints the synthetic set. Where a folder has no part
/// for tests, every tenth picture is for them. Throws what the library's loaders throw.
image_sets load_images(data_source const& source,
                       image_request const& request,
                       mae::thread_pool& threads);

/// Throws config_error, which says `otherwise` too, for images without classes.
void require_classes(image_sets const& images, std::string const& otherwise = "");

/// Whether there is a picture in this folder or in one below it.
bool holds_pictures(std::filesystem::path const& folder);

/// The folders whose folders are classes.
struct picture_folders {
  std::filesystem::path train;
  std::filesystem::path test;  // the same, where no part is for tests
};

/// The parts of a folder of pictures: its folders `train` and `test` (or `val`), `train` alone
/// where nothing else has pictures, or the folder itself.
picture_folders find_picture_folders(std::filesystem::path const& folder);

}  // namespace pretrain
