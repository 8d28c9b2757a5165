#include "place_pictures.hpp"

#include <mae/core/config.hpp>
#include <mae/data/annotation.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace tools {
namespace {

using mae::index_t;
using pretrain::picture;
using pretrain::rgb;

constexpr index_t gap = 6;

/// Far apart in hue, and of the same order as the classes and points.
rgb colour_of(index_t number) {
  constexpr std::array<rgb, 8> colours{{{230, 60, 50},
                                        {60, 130, 230},
                                        {60, 190, 80},
                                        {240, 180, 40},
                                        {170, 80, 210},
                                        {40, 200, 200},
                                        {250, 120, 180},
                                        {150, 110, 60}}};
  return colours[static_cast<std::size_t>(number) % colours.size()];
}

std::uint8_t between(std::uint8_t a, std::uint8_t b) {
  return static_cast<std::uint8_t>((a + b) / 2);
}

/// A sheet of images, each enlarged by repeating pixels, several in a row.
class sheet {
 public:
  sheet(mae::image_extent const& extent, index_t rows, index_t columns)
      : extent_(extent),
        scale_(std::max<index_t>(1, least_side / std::max(extent.height, extent.width))),
        canvas_(gap + columns * (scale_ * extent.width + gap),
                gap + rows * (scale_ * extent.height + gap),
                {255, 255, 255}) {}

  /// colour(y, x), of the image's pixels.
  template <class Colour>
  void draw(index_t row, index_t column, Colour const& colour) {
    for (index_t y = 0; y < scale_ * extent_.height; ++y)
      for (index_t x = 0; x < scale_ * extent_.width; ++x)
        canvas_.at(top(row) + y, left(column) + x) = colour(y / scale_, x / scale_);
  }
  /// What lies from `inner` to `outer` of the sheet's pixels from a point of the image.
  void mark(index_t row, index_t column, float x, float y, float inner, float outer, rgb colour) {
    auto const scale = static_cast<float>(scale_);
    auto const reach = static_cast<index_t>(outer) + 1;
    auto const middle_x = static_cast<index_t>(x * scale);
    auto const middle_y = static_cast<index_t>(y * scale);
    for (index_t v = middle_y - reach; v <= middle_y + reach; ++v)
      for (index_t u = middle_x - reach; u <= middle_x + reach; ++u) {
        float const away = std::hypot(static_cast<float>(u) + 0.5F - x * scale,
                                      static_cast<float>(v) + 0.5F - y * scale);
        bool const inside =
            u >= 0 && v >= 0 && u < scale_ * extent_.width && v < scale_ * extent_.height;
        if (inside && away >= inner && away <= outer)
          canvas_.at(top(row) + v, left(column) + u) = colour;
      }
  }
  picture take() && { return std::move(canvas_); }

 private:
  static constexpr index_t least_side = 224;

  index_t top(index_t row) const { return gap + row * (scale_ * extent_.height + gap); }
  index_t left(index_t column) const { return gap + column * (scale_ * extent_.width + gap); }

  mae::image_extent extent_;
  index_t scale_;
  picture canvas_;
};

/// An image's pixels as they are shown.
class shown_image {
 public:
  shown_image(chosen_images const& images, index_t number)
      : extent_(images.extent()), values_(static_cast<std::size_t>(extent_.values())) {
    images.read(number, values_);
  }
  rgb operator()(index_t y, index_t x) const {
    auto const at = static_cast<std::size_t>((y * extent_.width + x) * extent_.channels);
    auto const byte = [&](index_t channel) {
      auto const c = static_cast<std::size_t>(std::min(channel, extent_.channels - 1));
      return static_cast<std::uint8_t>(std::lround(std::clamp(values_[at + c], 0.0F, 1.0F) * 255));
    };
    return {byte(0), byte(1), byte(2)};
  }
  /// With a class laid on it.
  rgb under(index_t y, index_t x, std::uint8_t value) const {
    rgb const own = (*this)(y, x);
    if (value == 0) return own;
    rgb const over =
        value == mae::unlabelled_pixel ? rgb{128, 128, 128} : colour_of(index_t{value} - 1);
    return {
        between(own.red, over.red), between(own.green, over.green), between(own.blue, over.blue)};
  }

 private:
  mae::image_extent extent_;
  std::vector<float> values_;
};

}  // namespace

picture draw_masks(chosen_images const& images, std::span<std::uint8_t const> predicted) {
  constexpr index_t most_rows = 6;
  auto const extent = images.extent();
  index_t const rows = std::min(images.size(), most_rows);
  sheet drawn(extent, rows, 3);
  mae::annotation said;
  for (index_t i = 0; i < rows; ++i) {
    shown_image const shown(images, i);
    images.annotate(i, said);
    auto const own = predicted.subspan(static_cast<std::size_t>(i * extent.pixels()));
    auto const at = [&](index_t y, index_t x) {
      return static_cast<std::size_t>(y * extent.width + x);
    };
    drawn.draw(i, 0, shown);
    drawn.draw(i, 1, [&](index_t y, index_t x) { return shown.under(y, x, said.mask[at(y, x)]); });
    drawn.draw(i, 2, [&](index_t y, index_t x) { return shown.under(y, x, own[at(y, x)]); });
  }
  return std::move(drawn).take();
}

picture draw_points(chosen_images const& images, std::span<mae::found_keypoint const> found) {
  constexpr index_t most_images = 12;
  constexpr index_t columns = 4;
  constexpr float ring_inside = 5.0F;
  constexpr float ring_outside = 7.0F;
  constexpr float dot = 3.0F;
  index_t const count = std::min(images.size(), most_images);
  sheet drawn(images.extent(), mae::ceil_div(count, columns), std::min(count, columns));
  mae::annotation said;
  for (index_t i = 0; i < count; ++i) {
    images.annotate(i, said);
    index_t const row = i / columns;
    index_t const column = i % columns;
    drawn.draw(row, column, shown_image(images, i));
    auto const points = std::ssize(said.points);
    for (index_t j = 0; j < points; ++j) {
      auto const& truth = said.points[static_cast<std::size_t>(j)];
      auto const& own = found[static_cast<std::size_t>(i * points + j)];
      if (truth.visible)
        drawn.mark(row, column, truth.x, truth.y, ring_inside, ring_outside, colour_of(j));
      drawn.mark(row, column, own.x, own.y, 0, dot, colour_of(j));
    }
  }
  return std::move(drawn).take();
}

}  // namespace tools
