#pragma once

#include <mae/core/types.hpp>
#include <mae/images/picture_rows.hpp>

#include <png.h>

#include <array>
#include <bit>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace mae::detail {

/// What is read of a PNG file: what it shows, or the one number of each pixel as it is stored.
enum class png_values : std::uint8_t { shown, stored };

/// A PNG file by libpng's rows, in stored values: 16 bits by the high byte, palettes and small
/// depths widened, a colour that is transparent (tRNS) as alpha. gAMA, iCCP and other notes of what
/// the values mean are passed over, as Pillow does.
class png_rows final : public picture_rows {
 public:
  /// Reads the header. The stream outlives this object.
  explicit png_rows(picture_stream const& file, png_values read = png_values::shown)
      : file_(file), reads_stored_(read == png_values::stored) {
    guarded([&] {
      png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure_, on_error, on_warning);
      if (png_ != nullptr) info_ = png_create_info_struct(png_);
    });
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    try {
      read_header();
    } catch (...) {
      release();
      throw;
    }
  }
  png_rows(png_rows const&) = delete;
  png_rows& operator=(png_rows const&) = delete;
  ~png_rows() override { release(); }

  /// The bytes of a pixel, in a row.
  std::size_t pixel_bytes() const { return values_; }

  void start() override {
    auto const row_bytes = static_cast<std::size_t>(width) * values_;
    // NOLINTNEXTLINE(*-avoid-c-arrays): a vector would write all of it first.
    pixels_ = std::make_unique_for_overwrite<std::uint8_t[]>(
        passes_ == 1 ? row_bytes : row_bytes * static_cast<std::size_t>(height));
    guarded([&] { png_read_update_info(png_, info_); });
    if (png_get_rowbytes(png_, info_) != row_bytes) file_.refuse("PNG: a kind of pixels unknown");
    if (passes_ == 1) return;
    guarded([&] {
      for (int pass = 0; pass < passes_; ++pass)
        for (index_t y = 0; y < height; ++y)
          png_read_row(png_, pixels_.get() + static_cast<std::size_t>(y) * row_bytes, nullptr);
    });
  }

  std::uint8_t const* next_row() override {
    if (passes_ > 1)
      return pixels_.get() +
             static_cast<std::size_t>(next_++) * static_cast<std::size_t>(width) * values_;
    guarded([&] { png_read_row(png_, pixels_.get(), nullptr); });
    return pixels_.get();
  }

  // The last row has read the end of the pixels and their check sum; what follows is not needed.
  void finish() override {}

 private:
  /// Where libpng goes back to when it cannot go on, and why.
  struct failure {
    std::jmp_buf back;
    std::array<char, 200> message;
  };

  [[noreturn]] static void on_error(png_structp png, char const* message) {
    auto* const failed = static_cast<failure*>(png_get_error_ptr(png));
    std::string_view(message).copy(failed->message.data(), failed->message.size() - 1);
    std::longjmp(failed->back, 1);
  }
  static void on_warning(png_structp /*png*/, char const* /*message*/) {}

  /// Calls libpng, which comes back here by a jump where it fails: `call` owns nothing.
  template <class Call>
  void guarded(Call const& call) {
    if (setjmp(failure_.back) == 0) return call();
    file_.refuse(std::string("PNG: ") + failure_.message.data() +
                 (std::feof(file_.get()) != 0 ? " (the file is cut off)" : ""));
  }

  void read_header() {
    guarded([&] {
      // Sizes are looked at by who asks for the rows; notes are not kept, however large.
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
      png_set_keep_unknown_chunks(
          png_, PNG_HANDLE_CHUNK_NEVER, notes.data(), static_cast<int>(notes.size() / note_bytes));
      png_init_io(png_, file_.get());
      png_read_info(png_, info_);
    });
    height = png_get_image_height(png_, info_);
    width = png_get_image_width(png_, info_);
    reads_stored_ ? ask_for_stored() : ask_for_shown();
    // libpng holds two rows of up to four values of 16 bits.
    constexpr std::size_t library_bytes = 16;
    auto const row_pixels = static_cast<std::size_t>(width);
    bytes = row_pixels * library_bytes +
            row_pixels * values_ * (passes_ > 1 ? static_cast<std::size_t>(height) : 1);
  }

  void ask_for_stored() {
    auto const kind_of_pixels = png_get_color_type(png_, info_);
    if (kind_of_pixels != PNG_COLOR_TYPE_GRAY && kind_of_pixels != PNG_COLOR_TYPE_PALETTE)
      file_.refuse(
          "PNG: labels are one number a pixel, grey or of a palette; this file has colours or "
          "transparency");
    guarded([&] {
      png_set_packing(png_);
      if constexpr (std::endian::native == std::endian::little) png_set_swap(png_);
      passes_ = png_set_interlace_handling(png_);
    });
    kind = pixel_kind::grey;
    constexpr int bits_of_two_bytes = 16;
    values_ = png_get_bit_depth(png_, info_) == bits_of_two_bytes ? 2 : 1;
  }

  void ask_for_shown() {
    guarded([&] {
      png_set_expand(png_);
      png_set_strip_16(png_);
      passes_ = png_set_interlace_handling(png_);
    });
    bool const has_alpha = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0 ||
                           png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    bool const is_grey = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) == 0;
    if (is_grey) kind = has_alpha ? pixel_kind::grey_alpha : pixel_kind::grey;
    if (!is_grey) kind = has_alpha ? pixel_kind::rgb_alpha : pixel_kind::rgb;
    values_ = (is_grey ? 1U : 3U) + (has_alpha ? 1U : 0U);
  }

  void release() noexcept { png_destroy_read_struct(&png_, &info_, nullptr); }

  static constexpr std::size_t note_bytes = 5;
  // Five bytes each: a name and a zero.
  static constexpr std::array<png_byte, 17 * note_bytes> notes = [] {
    constexpr std::array<char const*, 17> names = {"bKGD",
                                                   "cHRM",
                                                   "eXIf",
                                                   "gAMA",
                                                   "hIST",
                                                   "iCCP",
                                                   "iTXt",
                                                   "oFFs",
                                                   "pCAL",
                                                   "pHYs",
                                                   "sBIT",
                                                   "sCAL",
                                                   "sPLT",
                                                   "sRGB",
                                                   "tEXt",
                                                   "tIME",
                                                   "zTXt"};
    std::array<png_byte, 17 * note_bytes> all{};
    std::size_t at = 0;
    for (char const* const name : names)
      for (std::size_t i = 0; i < note_bytes; ++i) all[at++] = static_cast<png_byte>(name[i]);
    return all;
  }();

  picture_stream const& file_;
  bool reads_stored_;
  failure failure_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  std::size_t values_ = 3;  // bytes of a pixel
  // NOLINTNEXTLINE(*-avoid-c-arrays): a vector would write all of it first.
  std::unique_ptr<std::uint8_t[]> pixels_;  // a row; all rows of an interlaced picture
  index_t next_ = 0;
};

}  // namespace mae::detail
