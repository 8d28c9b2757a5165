#include "picture.hpp"

#include <mae/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace pretrain {
namespace {

using mae::index_t;

constexpr float shade_of_hidden_patches = 0.5F;

std::size_t offset(mae::image_extent const& extent, index_t row, index_t column) {
  return static_cast<std::size_t>((row * extent.width + column) * extent.channels);
}

std::uint8_t to_byte(float value) {
  if (!(value > 0)) return 0;  // NaN too
  return static_cast<std::uint8_t>(std::lround(std::min(value, 1.0F) * 255.0F));
}

/// A range of source pixels, [first, last).
struct pixel_range {
  index_t first;
  index_t last;
};

/// The source pixels under target pixel `position`: one where the image grows, several where it
/// shrinks.
pixel_range under(index_t position, index_t target_size, index_t source_size) {
  index_t const first = position * source_size / target_size;
  return {first, std::max(first + 1, (position + 1) * source_size / target_size)};
}

/// The average colour of a rectangle of pixels.
rgb average(float_image const& image, pixel_range rows, pixel_range columns) {
  auto const shown = static_cast<std::size_t>(std::min<index_t>(image.extent.channels, 3));
  std::array<float, 3> sums{};
  for (index_t row = rows.first; row < rows.last; ++row)
    for (index_t column = columns.first; column < columns.last; ++column)
      for (std::size_t c = 0; c < shown; ++c)
        sums[c] += image.values[offset(image.extent, row, column) + c];
  if (shown == 1) sums[1] = sums[2] = sums[0];
  auto const count = static_cast<float>((rows.last - rows.first) * (columns.last - columns.first));
  return {to_byte(sums[0] / count), to_byte(sums[1] / count), to_byte(sums[2] / count)};
}

void draw(picture& canvas,
          float_image const& image,
          index_t top,
          index_t left,
          sheet_layout const& layout) {
  for (index_t row = 0; row < layout.image_height; ++row) {
    pixel_range const rows = under(row, layout.image_height, image.extent.height);
    for (index_t column = 0; column < layout.image_width; ++column)
      canvas.at(top + row, left + column) =
          average(image, rows, under(column, layout.image_width, image.extent.width));
  }
}

/// Calls visit(offset of the pixel's first value) for each pixel of patch `index`.
template <class Visit>
void for_each_pixel(mae::image_extent const& extent,
                    mae::patch_extent const& patch,
                    index_t index,
                    Visit visit) {
  index_t const grid_columns = extent.width / patch.width;
  index_t const top = index / grid_columns * patch.height;
  index_t const left = index % grid_columns * patch.width;
  for (index_t row = top; row < top + patch.height; ++row)
    for (index_t column = left; column < left + patch.width; ++column)
      visit(offset(extent, row, column));
}

void check(float_image const& image, char const* what) {
  if (image.values.size() != static_cast<std::size_t>(image.extent.values()))
    throw mae::config_error(std::string("reconstruction: the ") + what +
                            " image has another number of values than its extent says");
}

}  // namespace

picture::picture(index_t width, index_t height, rgb background)
    : width_(width),
      height_(height),
      pixels_(static_cast<std::size_t>(width * height), background) {}

reconstruction compose(float_image original,
                       float_image reconstructed,
                       mae::patch_extent patch,
                       std::span<std::uint8_t const> hidden) {
  mae::image_extent const extent = original.extent;
  check(original, "original");
  check(reconstructed, "reconstructed");
  if (extent != reconstructed.extent)
    throw mae::config_error("reconstruction: the two images have different extents");
  index_t const patches = (extent.height / patch.height) * (extent.width / patch.width);
  if (static_cast<index_t>(hidden.size()) != patches)
    throw mae::config_error("reconstruction: the mask has another number of patches");

  float_image masked = original;
  float_image pasted = original;
  auto const channels = static_cast<std::ptrdiff_t>(extent.channels);
  for (index_t index = 0; index < patches; ++index) {
    if (hidden[static_cast<std::size_t>(index)] == 0) continue;
    for_each_pixel(extent, patch, index, [&](std::size_t at) {
      auto const position = static_cast<std::ptrdiff_t>(at);
      std::fill_n(masked.values.begin() + position, channels, shade_of_hidden_patches);
      std::copy_n(
          reconstructed.values.begin() + position, channels, pasted.values.begin() + position);
    });
  }
  return {std::move(original), std::move(masked), std::move(reconstructed), std::move(pasted)};
}

sheet_layout layout_for(mae::image_extent extent, std::size_t images) {
  index_t const larger = std::max(extent.height, extent.width);
  index_t const scale = std::max<index_t>(1, (192 + larger / 2) / larger);
  return {.image_width = extent.width * scale,
          .image_height = extent.height * scale,
          .blocks = images > 4 ? 2 : 1};
}

picture draw_sheet(std::span<reconstruction const> rows, sheet_layout const& layout) {
  index_t const lines = mae::ceil_div(static_cast<index_t>(rows.size()), layout.blocks);
  index_t const step_right = layout.image_width + layout.gap;
  index_t const step_down = layout.image_height + layout.gap;
  index_t const block_width = 4 * step_right + 2 * layout.gap;  // a wider gap parts the blocks
  picture canvas(
      layout.blocks * block_width - layout.gap, lines * step_down + layout.gap, layout.background);
  for (index_t i = 0; i < static_cast<index_t>(rows.size()); ++i) {
    reconstruction const& row = rows[static_cast<std::size_t>(i)];
    index_t const top = layout.gap + i % lines * step_down;
    index_t left = layout.gap + i / lines * block_width;
    for (float_image const* image : {&row.original, &row.masked, &row.reconstructed, &row.pasted}) {
      draw(canvas, *image, top, left, layout);
      left += step_right;
    }
  }
  return canvas;
}

picture draw_grid(std::span<std::vector<float_image> const> rows, sheet_layout const& layout) {
  std::size_t columns = 0;
  for (auto const& row : rows) columns = std::max(columns, row.size());
  auto const extent_of = [&](index_t count, index_t each) {
    return std::max<index_t>(0, count * (each + layout.gap) - layout.gap);
  };
  picture canvas(extent_of(static_cast<index_t>(columns), layout.image_width),
                 extent_of(std::ssize(rows), layout.image_height),
                 layout.background);
  index_t top = 0;
  for (auto const& row : rows) {
    index_t left = 0;
    for (auto const& image : row) {
      draw(canvas, image, top, left, layout);
      left += layout.image_width + layout.gap;
    }
    top += layout.image_height + layout.gap;
  }
  return canvas;
}

picture draw_strip(std::span<float_image const> images, index_t most_width) {
  if (images.empty()) return {0, 0, {}};
  mae::image_extent const& extent = images.front().extent;
  index_t const width = std::min(extent.width, most_width);
  index_t const height = (extent.height * width + extent.width / 2) / extent.width;
  std::vector<float_image> const row(images.begin(), images.end());
  return draw_grid(std::span(&row, 1),
                   {.image_width = width,
                    .image_height = std::max<index_t>(1, height),
                    .gap = 1,
                    .background = {128, 128, 128}});
}

}  // namespace pretrain
