#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <png.h>
#include <turbojpeg.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// An 8-bit image in memory: (H, W, C), channel fastest.
struct image_bytes {
  image_extent extent;
  std::vector<std::uint8_t> pixels;
};

/// What an image's file may ask for: pictures come from anywhere.
struct image_limits {
  std::uint64_t file_bytes = std::uint64_t{1} << 28U;
  index_t pixels = 100'000'000;
};

namespace detail {

/// Throws format_error for an image without pixels, or with too many.
inline image_bytes make_image(std::string const& path,
                              index_t height,
                              index_t width,
                              index_t channels,
                              image_limits const& limits) {
  if (height < 1 || width < 1 || height > limits.pixels / width)
    throw format_error(path,
                       0,
                       "an image of " + std::to_string(height) + "x" + std::to_string(width) +
                           " pixels; at most " + std::to_string(limits.pixels) + " are read");
  image_bytes image{.extent = {height, width, channels}, .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(image.extent.values()));
  return image;
}

/// libpng's description of an image, of its simplified interface; frees what libpng hangs on it.
class png_description {
 public:
  explicit png_description(std::string const& path) : path_(path) {
    image_.version = PNG_IMAGE_VERSION;
  }
  png_description(png_description const&) = delete;
  png_description& operator=(png_description const&) = delete;
  ~png_description() { png_image_free(&image_); }

  png_image* operator->() { return &image_; }
  png_image* get() { return &image_; }
  void require(int success) const {
    if (success == 0)
      throw format_error(path_, 0, std::string("PNG: ") + static_cast<char const*>(image_.message));
  }

 private:
  std::string const& path_;
  png_image image_{};
};

inline image_bytes decode_png(std::string const& path,
                              std::span<std::byte const> bytes,
                              index_t channels,
                              image_limits const& limits) {
  png_description png(path);
  png.require(png_image_begin_read_from_memory(png.get(), bytes.data(), bytes.size()));
  auto image = make_image(path, png->height, png->width, channels, limits);
  png->format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_color const white{255, 255, 255};
  png.require(png_image_finish_read(png.get(), &white, image.pixels.data(), 0, nullptr));
  return image;
}

struct jpeg_release {
  void operator()(void* decoder) const noexcept { tjDestroy(decoder); }
};

inline image_bytes decode_jpeg(std::string const& path,
                               std::span<std::byte const> bytes,
                               index_t channels,
                               image_limits const& limits) {
  std::unique_ptr<void, jpeg_release> const decoder(tjInitDecompress());
  auto const require = [&](int failed) {
    if (failed != 0)
      throw format_error(path, 0, std::string("JPEG: ") + tjGetErrorStr2(decoder.get()));
  };
  auto const* const data = memory_as<unsigned char const>(bytes.data());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colours = 0;
  require(tjDecompressHeader3(
      decoder.get(), data, bytes.size(), &width, &height, &subsampling, &colours));
  auto image = make_image(path, height, width, channels, limits);
  // A cut file is a warning to the decoder; a file of endless scans takes as long as it likes.
  constexpr int strict = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
  require(tjDecompress2(decoder.get(),
                        data,
                        bytes.size(),
                        image.pixels.data(),
                        width,
                        0,
                        height,
                        channels == 1 ? TJPF_GRAY : TJPF_RGB,
                        strict));
  return image;
}

}  // namespace detail

/// Decodes a PNG or JPEG file to one channel (grey) or three (red, green, blue); what is
/// transparent becomes white. Throws io_error, format_error (damaged, cut, another kind of file, or
/// larger than the limits), config_error for other channels.
inline image_bytes decode_image(std::string const& path,
                                index_t channels = 3,
                                image_limits const& limits = {}) {
  if (channels != 1 && channels != 3)
    throw config_error("pictures have 1 or 3 channels, not " + std::to_string(channels));
  auto const bytes = read_file(path, limits.file_bytes);
  std::span<std::byte const> const all = bytes;
  auto const begins_with = [&](std::initializer_list<unsigned> start) {
    std::size_t i = 0;
    for (unsigned const value : start)
      if (i >= all.size() || std::to_integer<unsigned>(all[i++]) != value) return false;
    return true;
  };
  if (begins_with({0x89, 'P', 'N', 'G'})) return detail::decode_png(path, all, channels, limits);
  if (begins_with({0xFF, 0xD8})) return detail::decode_jpeg(path, all, channels, limits);
  throw format_error(path, 0, "neither a PNG nor a JPEG file");
}

}  // namespace mae
