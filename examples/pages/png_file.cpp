#include "png_file.hpp"

#include "save_file.hpp"

#include <mae/core/error.hpp>

#include <png.h>

#include <cstddef>
#include <string>
#include <vector>

namespace pretrain {
namespace {

/// libpng's description of an image, of its simplified interface; frees what libpng hangs on it.
class png_header {
 public:
  png_header() { header_.version = PNG_IMAGE_VERSION; }
  png_header(png_header const&) = delete;
  png_header& operator=(png_header const&) = delete;
  ~png_header() { png_image_free(&header_); }

  png_image* get() noexcept { return &header_; }
  png_image* operator->() noexcept { return &header_; }

  /// Throws mae::error unless a call of libpng gave `success`.
  void require(int success, std::filesystem::path const& path) const {
    if (success == 0) throw mae::error(path.string() + ": " + header_.message);
  }

 private:
  png_image header_ = {};
};

}  // namespace

std::vector<std::byte> png_of(picture const& image) {
  std::filesystem::path const name = "a picture";
  png_header header;
  header->width = static_cast<png_uint_32>(image.width());
  header->height = static_cast<png_uint_32>(image.height());
  header->format = PNG_FORMAT_RGB;
  void const* const pixels = image.pixels().data();
  png_alloc_size_t size = 0;
  header.require(png_image_write_to_memory(header.get(), nullptr, &size, 0, pixels, 0, nullptr),
                 name);
  std::vector<std::byte> bytes(size);
  header.require(
      png_image_write_to_memory(header.get(), bytes.data(), &size, 0, pixels, 0, nullptr), name);
  bytes.resize(size);
  return bytes;
}

void save_png(picture const& image, std::filesystem::path const& path) {
  save_bytes(path, png_of(image));
}

picture load_png(std::filesystem::path const& path) {
  png_header header;
  header.require(png_image_begin_read_from_file(header.get(), path.c_str()), path);
  header->format = PNG_FORMAT_RGB;
  picture image(header->width, header->height, {});
  png_color const white = {255, 255, 255};
  header.require(png_image_finish_read(header.get(), &white, &image.at(0, 0), 0, nullptr), path);
  return image;
}

}  // namespace pretrain
