#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/images/decoding_budget.hpp>
#include <mae/images/image_file.hpp>
#include <mae/images/image_limits.hpp>
#include <mae/images/picture_rows.hpp>
#include <mae/images/png_rows.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace mae {

/// A number for each pixel of a picture: its class, or which instance it belongs to.
struct label_map {
  map_shape shape;
  std::vector<std::uint16_t> values;  // (rows, columns)
};

/// Height and width of a PNG or JPEG file, of which the header alone is read. Throws io_error and
/// format_error as decode_image.
inline map_shape picture_size(std::string const& path, image_limits const& limits = {}) {
  detail::picture_stream const file(path, limits.file_bytes);
  auto const rows = detail::open_rows(file);
  return {rows->height, rows->width};
}

/// The numbers that a PNG file stores, of 1 to 16 bits, grey or of a palette, as they are. Throws
/// io_error, and format_error for another kind of file or of pixels, and as decode_image.
inline label_map read_label_map(std::string const& path, image_limits const& limits = {}) {
  label_map labels;
  try {
    detail::picture_stream const file(path, limits.file_bytes);
    std::array<unsigned char, 4> start{};
    auto const count = std::fread(start.data(), 1, start.size(), file.get());
    std::rewind(file.get());
    if (count != start.size() || start != std::array<unsigned char, 4>{0x89, 'P', 'N', 'G'})
      file.refuse("labels are a PNG file, which loses nothing; this is none");
    detail::png_rows rows(file, detail::png_values::stored);
    detail::require_possible(path, rows, limits);
    detail::require_holdable(rows);
    auto const share = decoding_budget::of_process().take(rows.bytes);
    rows.start();
    labels.shape = {rows.height, rows.width};
    labels.values.resize(static_cast<std::size_t>(labels.shape.size()));
    auto const width = static_cast<std::size_t>(rows.width);
    for (std::size_t y = 0; y < static_cast<std::size_t>(rows.height); ++y) {
      auto* const to = labels.values.data() + y * width;
      std::uint8_t const* const row = rows.next_row();
      if (rows.pixel_bytes() == 2)
        std::memcpy(to, row, 2 * width);
      else
        std::copy_n(row, width, to);
    }
    rows.finish();
  } catch (std::bad_alloc const&) {
    throw io_error(path, "decode labels", ENOMEM);
  }
  return labels;
}

/// What becomes of labels when their picture becomes an image: of each pixel of the image that of
/// the picture's pixel nearest to its centre. `how` is the picture's plan_fit; (H, W).
inline std::vector<std::uint16_t> fitted_labels(label_map const& labels, resampling const& how) {
  auto const along = [](index_t begin, index_t length, index_t resized, index_t at) {
    return begin + (2 * at + 1) * length / (2 * resized);
  };
  std::vector<std::uint16_t> fitted;
  fitted.reserve(static_cast<std::size_t>(how.kept.height * how.kept.width));
  for (index_t row = 0; row < how.kept.height; ++row) {
    index_t const y = along(how.from.top, how.from.height, how.height, how.kept.top + row);
    for (index_t column = 0; column < how.kept.width; ++column) {
      index_t const x = along(how.from.left, how.from.width, how.width, how.kept.left + column);
      fitted.push_back(labels.values[static_cast<std::size_t>(y * labels.shape.columns + x)]);
    }
  }
  return fitted;
}

}  // namespace mae
