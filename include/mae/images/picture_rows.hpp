#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/types.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace mae::detail {

/// What the 8-bit values of a decoded pixel are. CMYK as Adobe's JPEG files store it: 255 is no
/// ink.
enum class pixel_kind : std::uint8_t { grey, grey_alpha, rgb, rgb_alpha, inverted_cmyk };

/// A picture that is decoded row by row, from the top. What a library says of damage becomes a
/// format_error.
class picture_rows {
 public:
  picture_rows() = default;
  picture_rows(picture_rows const&) = delete;
  picture_rows& operator=(picture_rows const&) = delete;
  virtual ~picture_rows() = default;

  // From the header, before memory is taken for pixels.
  index_t height = 0;
  index_t width = 0;
  pixel_kind kind = pixel_kind::rgb;
  std::size_t bytes = 0;  // about what decoding will hold

  virtual void start() = 0;
  /// The next row; valid until the next call.
  virtual std::uint8_t const* next_row() = 0;
  /// After the last row: whether the file ends as it should.
  virtual void finish() = 0;
};

/// A picture as it is stored: a file, or its bytes in memory, which have a name for messages.
struct picture_source {
  std::string name;  // the file's path
  std::optional<std::span<std::byte const>> bytes = {};
};

/// Owns a file that a library reads through C's streams.
class picture_stream {
 public:
  /// Throws as open_for_reading; format_error when the file is larger than `max_bytes`.
  picture_stream(std::string const& path, std::uint64_t max_bytes) : path_(path) {
    auto const file = open_for_reading(path);
    if (file.size > max_bytes)
      throw format_error(path,
                         max_bytes,
                         "the file has " + std::to_string(file.size) + " bytes, at most " +
                             std::to_string(max_bytes) + " were expected");
    int const number = ::dup(file.descriptor.number());
    if (number < 0) throw io_error(path, "open", errno);
    file_.reset(::fdopen(number, "rb"));
    if (file_ != nullptr) return;
    int const reason = errno;
    ::close(number);
    throw io_error(path, "open", reason);
  }

  /// Bytes in memory, which outlive this object, under a name for messages. Throws format_error
  /// where there is none, io_error where the system refuses a stream over them.
  picture_stream(std::string name, std::span<std::byte const> bytes) : path_(std::move(name)) {
    if (bytes.empty()) throw format_error(path_, 0, "no bytes");
    // A stream that reads takes no const.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    file_.reset(::fmemopen(const_cast<std::byte*>(bytes.data()), bytes.size(), "rb"));
    if (file_ == nullptr) throw io_error(path_, "open", errno);
  }

  /// Either, by what `source` is.
  static picture_stream open(picture_source const& source, std::uint64_t max_bytes) {
    if (!source.bytes) return {source.name, max_bytes};
    if (source.bytes->size() > max_bytes)
      throw format_error(source.name, max_bytes, "more bytes than were expected");
    return {source.name, *source.bytes};
  }

  std::FILE* get() const noexcept { return file_.get(); }
  std::string const& path() const noexcept { return path_; }

  /// Throws format_error for what a library says is wrong with the file; io_error where the system
  /// could not read it.
  [[noreturn]] void refuse(std::string const& what) const {
    if (std::ferror(get()) != 0) throw io_error(path_, "read", EIO);
    throw format_error(path_, 0, what);
  }

 private:
  struct close_file {
    void operator()(std::FILE* file) const noexcept {
      // Opened for reading: nothing can be lost by closing.
      static_cast<void>(std::fclose(file));  // NOLINT(cppcoreguidelines-owning-memory): owned here
    }
  };

  std::string path_;
  std::unique_ptr<std::FILE, close_file> file_;
};

/// v / 255 rounded, of v <= 255 * 255, as Pillow divides (libImaging/ImagingUtils.h).
constexpr unsigned divided_by_255(unsigned v) {
  v += 128;
  return ((v >> 8U) + v) >> 8U;
}

/// A stored value of this opacity on white.
constexpr std::uint8_t on_white(unsigned value, unsigned alpha) {
  constexpr unsigned white = 255;
  return static_cast<std::uint8_t>(divided_by_255(value * alpha + white * (white - alpha)));
}

/// A value of red, green or blue, as Pillow converts CMYK.
constexpr std::uint8_t printed(unsigned inverted_ink, unsigned inverted_black) {
  unsigned const ink = 255 - inverted_ink;
  return static_cast<std::uint8_t>(inverted_black - divided_by_255(ink * inverted_black));
}

/// Luma of ITU-R 601-2 in Pillow's whole numbers.
constexpr std::uint8_t luma(unsigned red, unsigned green, unsigned blue) {
  constexpr unsigned half = 0x8000;
  return static_cast<std::uint8_t>((red * 19595 + green * 38470 + blue * 7471 + half) >> 16U);
}

struct rgb_pixel {
  std::uint8_t red;
  std::uint8_t green;
  std::uint8_t blue;
};

/// One pixel of a kind, what is transparent on white.
template <pixel_kind kind>
constexpr rgb_pixel to_rgb(std::uint8_t const* v) {
  if constexpr (kind == pixel_kind::grey) return {v[0], v[0], v[0]};
  if constexpr (kind == pixel_kind::grey_alpha) {
    auto const grey = on_white(v[0], v[1]);
    return {grey, grey, grey};
  }
  if constexpr (kind == pixel_kind::rgb) return {v[0], v[1], v[2]};
  if constexpr (kind == pixel_kind::rgb_alpha)
    return {on_white(v[0], v[3]), on_white(v[1], v[3]), on_white(v[2], v[3])};
  if constexpr (kind == pixel_kind::inverted_cmyk)
    return {printed(v[0], v[3]), printed(v[1], v[3]), printed(v[2], v[3])};
}

template <pixel_kind kind, int values>
void convert_row(std::uint8_t const* row, index_t width, index_t channels, std::uint8_t* result) {
  constexpr bool is_grey = kind == pixel_kind::grey || kind == pixel_kind::grey_alpha;
  for (index_t x = 0; x < width; ++x) {
    auto const [red, green, blue] = to_rgb<kind>(row + x * values);
    if (channels == 1) {
      result[x] = is_grey ? red : luma(red, green, blue);
    } else {
      result[x * 3] = red;
      result[x * 3 + 1] = green;
      result[x * 3 + 2] = blue;
    }
  }
}

/// A row of pixels of a kind as one channel (grey) or three (red, green, blue).
inline void convert_row(pixel_kind kind,
                        std::uint8_t const* row,
                        index_t width,
                        index_t channels,
                        std::uint8_t* result) {
  switch (kind) {
    case pixel_kind::grey:
      return convert_row<pixel_kind::grey, 1>(row, width, channels, result);
    case pixel_kind::grey_alpha:
      return convert_row<pixel_kind::grey_alpha, 2>(row, width, channels, result);
    case pixel_kind::rgb:
      return convert_row<pixel_kind::rgb, 3>(row, width, channels, result);
    case pixel_kind::rgb_alpha:
      return convert_row<pixel_kind::rgb_alpha, 4>(row, width, channels, result);
    case pixel_kind::inverted_cmyk:
      return convert_row<pixel_kind::inverted_cmyk, 4>(row, width, channels, result);
  }
}

}  // namespace mae::detail
