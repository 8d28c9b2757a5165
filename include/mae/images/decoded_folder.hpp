#pragma once

#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>

#include <cstdint>
#include <string>
#include <vector>

// What decode_all (image_folder.hpp) gives.

namespace mae {

/// What becomes of pictures that cannot be decoded: the first ends the reading, or they are left
/// out.
enum class unreadable_policy : std::uint8_t { stop, skip };

/// A folder's pictures in memory, n H W C bytes.
struct decoded_folder {
  memory_dataset<std::uint8_t> images;
  std::vector<std::string> class_names;
  std::vector<index_t> numbers;         // in the folder, of those that were kept
  std::vector<std::string> unreadable;  // what was wrong with each that was left out
};

}  // namespace mae
