#pragma once

#include "picture.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <array>
#include <span>

// Numbers of patches as colours over the image that they are of.

namespace pretrain {

/// A colour of a scale from dark blue by green to yellow that keeps its order in grey and for most
/// who see few colours (after matplotlib's viridis); `share` is cut to [0, 1].
std::array<float, 3> heat_colour(float share);

/// An image (H, W, 3) whose patches are coloured by `values` (N), from the least to the greatest,
/// over the image in grey. Values that are all equal are the scale's beginning.
float_image draw_heat(float_image const& image,
                      mae::patch_extent patch,
                      std::span<float const> values);

/// An image (H, W, 3) of patches in colours: `channels` (N, 3), each cut to [0, 1].
float_image draw_patches(mae::image_extent const& extent,
                         mae::patch_extent patch,
                         std::span<float const> channels);

/// An image (H, W, 3): of one channel in grey, of several the first three; two have no third.
float_image in_colour(float_image const& image);

/// Draws a frame around a patch of an image (H, W, 3).
void mark_patch(float_image& image, mae::patch_extent patch, mae::index_t number);

}  // namespace pretrain
