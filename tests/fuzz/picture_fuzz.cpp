#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/images.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

// libFuzzer's target for pictures (requirement R13): any bytes are decoded and resampled, or
// refused with a format_error. Decoded by rows or as a whole, from a file or from memory, they are
// the same picture. The seeds in corpus/picture/ are written by make_picture_corpus.py.

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// The bytes as a file of the memory; its path stays the same.
std::string file_of(std::uint8_t const* data, std::size_t size) {
  static int const file = ::memfd_create("picture", 0);
  require(file >= 0 && ::ftruncate(file, 0) == 0);
  require(::pwrite(file, data, size, 0) == static_cast<::ssize_t>(size));
  return "/proc/self/fd/" + std::to_string(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  mae::image_limits const limits{.file_bytes = 1U << 20U, .pixels = 1 << 16};
  mae::image_folder_options const options{.extent = {8, 6, 3}, .limits = limits};
  std::string const path = file_of(data, size);
  auto const in_memory = std::as_bytes(std::span(data, size));
  bool is_refused = false;
  try {
    auto const picture = mae::decode_image(path, options.extent.channels, limits);
    require(static_cast<mae::index_t>(picture.pixels.size()) == picture.extent.values());
    mae::byte_resizer resizer;
    auto const fitted = mae::fit_image(picture, options.extent, options.fit, options.kind, resizer);
    require(mae::decode_fitted(path, options).pixels == fitted.pixels);
    require(mae::decode_fitted("bytes", in_memory, options).pixels == fitted.pixels);
    mae::decode_image(path, 1, limits);
  } catch (mae::format_error const& e) {
    require(e.offset() <= size);
    is_refused = true;
  }
  if (!is_refused) return 0;
  try {
    mae::decode_fitted("bytes", in_memory, options);
    require(false);
  } catch (mae::format_error const&) {
  }
  return 0;
}
