#include "heat.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace pretrain {
namespace {

using mae::index_t;

std::size_t pixel_at(mae::image_extent const& extent, index_t row, index_t column) {
  return static_cast<std::size_t>((row * extent.width + column) * extent.channels);
}

index_t patch_under(mae::image_extent const& extent,
                    mae::patch_extent patch,
                    index_t row,
                    index_t column) {
  return row / patch.height * (extent.width / patch.width) + column / patch.width;
}

/// Calls paint(row, column, three values) for every pixel.
template <class Paint>
float_image coloured(mae::image_extent extent, Paint const& paint) {
  extent.channels = 3;
  float_image result{extent, std::vector<float>(static_cast<std::size_t>(extent.values()))};
  for (index_t row = 0; row < extent.height; ++row)
    for (index_t column = 0; column < extent.width; ++column)
      std::ranges::copy(
          paint(row, column),
          result.values.begin() + static_cast<std::ptrdiff_t>(pixel_at(extent, row, column)));
  return result;
}

}  // namespace

std::array<float, 3> heat_colour(float share) {
  // At 0, 1/8, ... 1.
  constexpr std::array<std::array<float, 3>, 9> scale{{{0.267F, 0.005F, 0.329F},
                                                       {0.278F, 0.176F, 0.482F},
                                                       {0.230F, 0.322F, 0.546F},
                                                       {0.173F, 0.449F, 0.558F},
                                                       {0.128F, 0.567F, 0.551F},
                                                       {0.158F, 0.684F, 0.502F},
                                                       {0.369F, 0.789F, 0.383F},
                                                       {0.678F, 0.864F, 0.190F},
                                                       {0.993F, 0.906F, 0.144F}}};
  float const place = std::clamp(share, 0.0F, 1.0F) * static_cast<float>(scale.size() - 1);
  auto const below = std::min(static_cast<std::size_t>(place), scale.size() - 2);
  float const rest = place - static_cast<float>(below);
  std::array<float, 3> colour{};
  for (std::size_t c = 0; c < 3; ++c)
    colour[c] = (1 - rest) * scale[below][c] + rest * scale[below + 1][c];
  return colour;
}

float_image in_colour(float_image const& image) {
  return coloured(image.extent, [&](index_t row, index_t column) {
    auto const at = pixel_at(image.extent, row, column);
    std::array<float, 3> colour{};
    for (std::size_t c = 0; c < 3; ++c) {
      if (image.extent.channels == 1)
        colour[c] = image.values[at];
      else if (static_cast<index_t>(c) < image.extent.channels)
        colour[c] = image.values[at + c];
    }
    return colour;
  });
}

float_image draw_heat(float_image const& image,
                      mae::patch_extent patch,
                      std::span<float const> values) {
  constexpr float of_picture = 0.35F;
  auto const [least, greatest] = std::ranges::minmax_element(values);
  float const low = *least;
  float const range = *greatest - low;
  auto const shown = in_colour(image);
  return coloured(shown.extent, [&](index_t row, index_t column) {
    auto const at = pixel_at(shown.extent, row, column);
    float const grey = (shown.values[at] + shown.values[at + 1] + shown.values[at + 2]) / 3;
    float const value =
        values[static_cast<std::size_t>(patch_under(shown.extent, patch, row, column))];
    auto colour = heat_colour(range > 0 ? (value - low) / range : 0.0F);
    for (float& part : colour) part = of_picture * grey + (1 - of_picture) * part;
    return colour;
  });
}

float_image draw_patches(mae::image_extent const& extent,
                         mae::patch_extent patch,
                         std::span<float const> channels) {
  return coloured(extent, [&](index_t row, index_t column) {
    auto const at = static_cast<std::size_t>(3 * patch_under(extent, patch, row, column));
    return std::array{std::clamp(channels[at], 0.0F, 1.0F),
                      std::clamp(channels[at + 1], 0.0F, 1.0F),
                      std::clamp(channels[at + 2], 0.0F, 1.0F)};
  });
}

void mark_patch(float_image& image, mae::patch_extent patch, index_t number) {
  index_t const columns = image.extent.width / patch.width;
  index_t const top = number / columns * patch.height;
  index_t const left = number % columns * patch.width;
  index_t const thickness = std::max<index_t>(1, image.extent.width / 112);
  for (index_t row = top; row < top + patch.height; ++row)
    for (index_t column = left; column < left + patch.width; ++column) {
      index_t const inside = std::min({row - top,
                                       column - left,
                                       top + patch.height - 1 - row,
                                       left + patch.width - 1 - column});
      if (inside >= thickness) continue;
      auto const at = pixel_at(image.extent, row, column);
      image.values[at] = 1;
      image.values[at + 1] = image.values[at + 2] = 0;
    }
}

}  // namespace pretrain
