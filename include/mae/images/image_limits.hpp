#pragma once

#include <mae/core/types.hpp>

#include <cstdint>

namespace mae {

/// What an image's file may ask for: pictures come from anywhere.
struct image_limits {
  std::uint64_t file_bytes = std::uint64_t{1} << 28U;
  index_t pixels = 100'000'000;
};

}  // namespace mae
