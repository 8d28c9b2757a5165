#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/images/picture_rows.hpp>

#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // before jpeglib.h, which needs it
#include <new>
#include <string>
#include <vector>
// After jpeglib.h, whose types it has.
#include <jerror.h>

namespace mae::detail {

/// A JPEG file by libjpeg's rows: grey, RGB (of YCbCr or as it is), or CMYK (of YCCK or as it is).
/// Stray bytes between segments are passed over, as everywhere; a file whose pixels are cut or
/// damaged is refused, which libjpeg would fill with grey.
class jpeg_rows final : public picture_rows {
 public:
  /// Reads the header. The stream outlives this object.
  explicit jpeg_rows(picture_stream const& file) : file_(file) {
    jpeg_.err = jpeg_std_error(&failure_.base);
    failure_.base.error_exit = on_error;
    failure_.base.emit_message = on_message;
    try {
      read_header();
    } catch (...) {
      jpeg_destroy_decompress(&jpeg_);
      throw;
    }
  }
  jpeg_rows(jpeg_rows const&) = delete;
  jpeg_rows& operator=(jpeg_rows const&) = delete;
  ~jpeg_rows() override { jpeg_destroy_decompress(&jpeg_); }

  void start() override {
    guarded([&] { jpeg_start_decompress(&jpeg_); });
    row_.resize(static_cast<std::size_t>(width) *
                static_cast<std::size_t>(jpeg_.output_components));
  }

  std::uint8_t const* next_row() override {
    guarded([&] {
      JSAMPROW row = row_.data();
      jpeg_read_scanlines(&jpeg_, &row, 1);
    });
    return row_.data();
  }

  void finish() override {
    guarded([&] { jpeg_finish_decompress(&jpeg_); });
  }

 private:
  /// Where libjpeg goes back to when it cannot go on. Its part comes first: it is what libjpeg
  /// hands back.
  struct failure {
    jpeg_error_mgr base;
    std::jmp_buf back;
  };

  [[noreturn]] static void on_error(j_common_ptr jpeg) {
    std::longjmp(memory_as<failure>(jpeg->err)->back, 1);
  }

  /// Warnings have a negative level. Those that leave every pixel as it was stored are none.
  static void on_message(j_common_ptr jpeg, int level) {
    if (level >= 0) return;
    switch (jpeg->err->msg_code) {
      case JWRN_EXTRANEOUS_DATA:  // stray bytes
      case JWRN_JFIF_MAJOR:       // a version that nobody has seen
      case JWRN_ADOBE_XFORM:      // a colour transform that Adobe does not know: YCbCr or YCCK
        return;
      default:
        on_error(jpeg);
    }
  }

  /// A small file can ask for scans without end.
  static void on_progress(j_common_ptr jpeg) {
    constexpr int most_scans = 500;
    auto* const decoder = memory_as<jpeg_decompress_struct>(jpeg);
    if (decoder->input_scan_number <= most_scans) return;
    jpeg->err->msg_code = JERR_BAD_PROGRESSION;
    on_error(jpeg);
  }

  /// Calls libjpeg, which comes back here by a jump where it fails: `call` owns nothing.
  template <class Call>
  void guarded(Call const& call) {
    if (setjmp(failure_.back) == 0) return call();
    if (failure_.base.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    std::array<char, JMSG_LENGTH_MAX> message{};
    failure_.base.format_message(memory_as<jpeg_common_struct>(&jpeg_), message.data());
    file_.refuse(std::string("JPEG: ") + message.data());
  }

  void read_header() {
    guarded([&] {
      jpeg_create_decompress(&jpeg_);
      progress_.progress_monitor = on_progress;
      jpeg_.progress = &progress_;
      jpeg_stdio_src(&jpeg_, file_.get());
      jpeg_read_header(&jpeg_, TRUE);
    });
    height = jpeg_.image_height;
    width = jpeg_.image_width;
    choose_colours();
    bytes = static_cast<std::size_t>(width) * rows_in_flight * 4;
    if (jpeg_has_multiple_scans(&jpeg_) == 0) return;
    // All coefficients are held until the last scan.
    for (int i = 0; i < jpeg_.num_components; ++i) {
      auto const& component = jpeg_.comp_info[i];
      bytes += std::size_t{component.width_in_blocks} * component.height_in_blocks * sizeof(JBLOCK);
    }
  }

  void choose_colours() {
    switch (jpeg_.num_components) {
      case 1:
        kind = pixel_kind::grey;
        jpeg_.out_color_space = JCS_GRAYSCALE;
        return;
      case 3:
        kind = pixel_kind::rgb;
        jpeg_.out_color_space = JCS_RGB;
        return;
      case 4:
        kind = pixel_kind::inverted_cmyk;
        jpeg_.out_color_space = JCS_CMYK;
        return;
      default:
        file_.refuse("JPEG: " + std::to_string(jpeg_.num_components) +
                     " components; 1 (grey), 3 (colours) and 4 (CMYK) are read");
    }
  }

  // Rows of blocks, their context and the values of the row: about as many of full width.
  static constexpr std::size_t rows_in_flight = 64;

  picture_stream const& file_;
  failure failure_{};
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct jpeg_{};
  std::vector<std::uint8_t> row_;
};

}  // namespace mae::detail
