#pragma once

#include "data_source.hpp"

#include <mae/data/memory_dataset.hpp>

#include <cstdint>
#include <string>

namespace pretrain {

/// One type for all images, so that no model is compiled twice.
using image_set = mae::memory_dataset<std::uint8_t>;

struct image_sets {
  image_set train;
  image_set test;
  std::string name;  // "cifar10" or "synthetic"
};

/// Loads CIFAR-10, or paints the synthetic set. Throws what mae::load_cifar10 throws.
image_sets load_images(data_source const& source);

}  // namespace pretrain
