#pragma once

#include <mae/core/types.hpp>

#include <png.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

/// Writes an 8-bit grey PNG of 24 x 32 pixels of one value, with a square of 8 x 8 of another whose
/// corner is at (left, top).
inline void write_square(
    std::string const& path, int value, int square, mae::index_t left, mae::index_t top) {
  constexpr mae::index_t height = 24;
  constexpr mae::index_t width = 32;
  constexpr mae::index_t side = 8;
  std::vector<std::uint8_t> pixels(height * width, static_cast<std::uint8_t>(value));
  for (mae::index_t y = top; y < std::min(top + side, height); ++y)
    for (mae::index_t x = left; x < std::min(left + side, width); ++x)
      pixels[static_cast<std::size_t>(y * width + x)] = static_cast<std::uint8_t>(square);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_GRAY;
  if (png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr) == 0)
    throw std::runtime_error(path);
}
