#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/resize.hpp>
#include <mae/images/image_file.hpp>
#include <mae/images/picture_fit.hpp>
#include <mae/images/picture_rows.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mae {

/// How the pictures of a folder are read.
struct image_folder_options {
  image_extent extent{.height = 224, .width = 224, .channels = 3};
  picture_fit fit = {};
  interpolation kind = interpolation::bicubic;
  image_limits limits = {};
};

/// A picture resampled to `extent` as byte_resizer does it. Throws as plan_fit.
inline image_bytes fit_image(image_bytes const& picture,
                             image_extent const& extent,
                             picture_fit const& fit,
                             interpolation kind,
                             byte_resizer& resizer) {
  auto const plan = plan_fit(picture.extent.height, picture.extent.width, extent, fit);
  image_bytes result{.extent = extent, .pixels = {}};
  result.pixels.resize(static_cast<std::size_t>(extent.values()));
  resizer({picture.pixels, picture.extent}, plan, kind, {result.pixels, extent});
  return result;
}

namespace detail {

inline image_bytes decode_fitted_source(picture_source const& source,
                                        image_folder_options const& options) {
  thread_local byte_resizer resizer;
  image_bytes image{.extent = options.extent, .pixels = {}};
  decode_rows(
      source,
      options.extent.channels,
      options.limits,
      [&](index_t height, index_t width) {
        auto const plan = [&] {
          try {
            return plan_fit(height, width, options.extent, options.fit);
          } catch (config_error const& e) {
            throw config_error(source.name + ": " + e.what());
          }
        }();
        image.pixels.resize(static_cast<std::size_t>(image.extent.values()));
        resizer.begin({height, width, options.extent.channels},
                      plan,
                      options.kind,
                      {image.pixels, image.extent});
      },
      [&](std::uint8_t const* row) { resizer.take_row(row); });
  return image;
}

}  // namespace detail

/// decode_image and fit_image in one, of which only a few rows of the picture are held (an
/// interlaced PNG and a progressive JPEG are held whole by their libraries). Throws as both.
inline image_bytes decode_fitted(std::string const& path, image_folder_options const& options) {
  return detail::decode_fitted_source({path}, options);
}

/// The same of a file's bytes in memory, which messages call `name`.
inline image_bytes decode_fitted(std::string const& name,
                                 std::span<std::byte const> bytes,
                                 image_folder_options const& options) {
  return detail::decode_fitted_source({name, bytes}, options);
}

}  // namespace mae
