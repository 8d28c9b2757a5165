#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pretrain {

struct rgb {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  friend bool operator==(rgb const&, rgb const&) = default;
};

/// An 8-bit picture, row after row.
class picture {
 public:
  picture(mae::index_t width, mae::index_t height, rgb background);

  mae::index_t width() const noexcept { return width_; }
  mae::index_t height() const noexcept { return height_; }
  rgb& at(mae::index_t row, mae::index_t column) {
    return pixels_[static_cast<std::size_t>(row * width_ + column)];
  }
  rgb const& at(mae::index_t row, mae::index_t column) const {
    return pixels_[static_cast<std::size_t>(row * width_ + column)];
  }
  /// (height * width), row after row.
  std::span<rgb const> pixels() const noexcept { return pixels_; }

 private:
  mae::index_t width_;
  mae::index_t height_;
  std::vector<rgb> pixels_;
};

/// An image as a dataset stores it: (H, W, C), channel fastest, values in [0, 1]. What lies outside
/// is cut off when it is shown, NaN is shown as black.
struct float_image {
  mae::image_extent extent;
  std::vector<float> values;
};

/// One row of a sheet of reconstructions: four images of one extent; the last two, where they are
/// no reconstructions, of another of the same proportions.
struct reconstruction {
  float_image original;
  float_image masked;         // the original with its hidden patches grey
  float_image reconstructed;  // what the network paints
  float_image pasted;         // its hidden patches among the original's visible ones
};

/// Composes a row. `hidden` (N, row of patches first) is not 0 where the network did not see the
/// patch. Throws mae::config_error where the extents do not agree.
reconstruction compose(float_image original,
                       float_image reconstructed,
                       mae::patch_extent patch,
                       std::span<std::uint8_t const> hidden);

/// How a sheet is laid out, in pixels of the picture.
struct sheet_layout {
  mae::index_t image_width = 192;
  mae::index_t image_height = 192;
  mae::index_t gap = 6;     // between the four images of a row, and around all
  mae::index_t blocks = 1;  // rows of four stand side by side in so many blocks
  rgb background = {255, 255, 255};
};

/// A layout for files: every image about 192 pixels high, two blocks for more than four images.
sheet_layout layout_for(mae::image_extent extent, std::size_t images);

/// Draws each reconstruction as original | masked | reconstructed | pasted. Images are enlarged by
/// repeating pixels and reduced by averaging them. One channel is shown as grey, of several the
/// first three as red, green and blue (of two the third is black).
picture draw_sheet(std::span<reconstruction const> rows, sheet_layout const& layout);

/// Rows of images of one extent, the first of each at the left; `layout.gap` lies between them, not
/// around them.
picture draw_grid(std::span<std::vector<float_image> const> rows, sheet_layout const& layout);

/// Images of one extent side by side, at most `most_width` pixels wide each, a grey line
/// between two.
picture draw_strip(std::span<float_image const> images, mae::index_t most_width);

}  // namespace pretrain
