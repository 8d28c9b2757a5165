#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/images/decoding_budget.hpp>
#include <mae/images/image_limits.hpp>
#include <mae/images/jpeg_rows.hpp>
#include <mae/images/picture_rows.hpp>
#include <mae/images/png_rows.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace mae {

/// An 8-bit image in memory: (H, W, C), channel fastest.
struct image_bytes {
  image_extent extent;
  std::vector<std::uint8_t> pixels;
};

namespace detail {

/// The rows of a file that begins as a PNG or a JPEG file does. Throws format_error.
inline std::unique_ptr<picture_rows> open_rows(picture_stream const& file) {
  std::array<unsigned char, 4> start{};
  auto const count = std::fread(start.data(), 1, start.size(), file.get());
  std::rewind(file.get());
  if (count == start.size() && start == std::array<unsigned char, 4>{0x89, 'P', 'N', 'G'})
    return std::make_unique<png_rows>(file);
  if (count >= 2 && start[0] == 0xFF && start[1] == 0xD8) return std::make_unique<jpeg_rows>(file);
  file.refuse("neither a PNG nor a JPEG file");
}

/// Throws format_error for an image without pixels, or with too many.
inline void require_possible(std::string const& path,
                             picture_rows const& rows,
                             image_limits const& limits) {
  if (rows.height < 1 || rows.width < 1 || rows.height > limits.pixels / rows.width)
    throw format_error(path,
                       0,
                       "an image of " + std::to_string(rows.height) + "x" +
                           std::to_string(rows.width) + " pixels; at most " +
                           std::to_string(limits.pixels) + " are read (--max-pixels)");
}

/// Throws std::bad_alloc for a picture whose bytes no allocator need be asked for: no object is as
/// large, whatever the limits allow.
inline void require_holdable(picture_rows const& rows) {
  constexpr index_t most_bytes = 16;  // of a pixel, in any of its copies
  if (rows.height > std::numeric_limits<index_t>::max() / most_bytes / rows.width)
    throw std::bad_alloc();
}

/// Decodes a picture, as `channels` values a pixel: calls begin(height, width), then take(row) for
/// each row from the top. Where memory fails, that is an io_error of this file.
template <class Begin, class Take>
void decode_rows(picture_source const& source,
                 index_t channels,
                 image_limits const& limits,
                 Begin const& begin,
                 Take const& take) {
  if (channels != 1 && channels != 3)
    throw config_error("pictures have 1 or 3 channels, not " + std::to_string(channels));
  std::string what = "decode a picture";
  try {
    auto const file = picture_stream::open(source, limits.file_bytes);
    auto const rows = open_rows(file);
    require_possible(source.name, *rows, limits);
    what += " of " + std::to_string(rows->height) + "x" + std::to_string(rows->width) + " pixels";
    require_holdable(*rows);
    auto const share = decoding_budget::of_process().take(rows->bytes);
    rows->start();
    begin(rows->height, rows->width);
    std::vector<std::uint8_t> row(static_cast<std::size_t>(rows->width * channels));
    for (index_t y = 0; y < rows->height; ++y) {
      convert_row(rows->kind, rows->next_row(), rows->width, channels, row.data());
      take(row.data());
    }
    rows->finish();
  } catch (std::bad_alloc const&) {
    throw io_error(source.name, what, ENOMEM);
  }
}

}  // namespace detail

/// Decodes a PNG or JPEG file to one channel (grey) or three (red, green, blue), as Pillow reads
/// it: stored values, whatever gamma or profile the file notes; of 16 bits the high byte; grey by
/// the luma of ITU-R 601-2; CMYK as Adobe stores it. What is transparent lies on white. A camera's
/// orientation (EXIF) is not applied: neither Pillow's Image.open nor transformers applies it.
/// Throws io_error (also where memory fails), format_error (damaged, cut, another kind of file, or
/// larger than the limits), config_error for other channels.
inline image_bytes decode_image(std::string const& path,
                                index_t channels = 3,
                                image_limits const& limits = {}) {
  image_bytes image;
  std::uint8_t* next = nullptr;
  detail::decode_rows(
      {path},
      channels,
      limits,
      [&](index_t height, index_t width) {
        image.extent = {height, width, channels};
        image.pixels.resize(static_cast<std::size_t>(image.extent.values()));
        next = image.pixels.data();
      },
      [&](std::uint8_t const* row) {
        next = std::copy_n(row, image.extent.width * channels, next);
      });
  return image;
}

}  // namespace mae
