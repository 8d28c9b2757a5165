#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cassert>
#include <span>

namespace mae {

namespace detail {

/// Calls body(offset in the image, patch, offset in the patch) for every run of neighbouring values
/// that an image and one of its patches share: a row of a patch, `patch.width * image.channels`
/// values. Patches are numbered row by row; within a patch the pixel row is slowest, then the pixel
/// column, and the channel is fastest.
template <class Body>
void for_each_patch_row(image_extent const& image, patch_extent const& patch, Body const& body) {
  index_t const columns = image.width / patch.width;
  index_t const run = patch.width * image.channels;
  for (index_t row = 0; row < image.height; ++row)
    for (index_t column = 0; column < columns; ++column)
      body(row * image.width * image.channels + column * run,
           row / patch.height * columns + column,
           row % patch.height * run);
}

template <class T>
bool patches_fit(image_extent const& image,
                 patch_extent const& patch,
                 std::span<float const> pixels,
                 matrix_view<T> patches) {
  return static_cast<index_t>(pixels.size()) == image.values() &&
         image.height % patch.height == 0 && image.width % patch.width == 0 &&
         patches.cols == patch.height * patch.width * image.channels &&
         patches.rows * patches.cols == image.values();
}

}  // namespace detail

/// Cuts an image into patches, in the order of the official code's `patchify`.
/// `pixels` (H, W, C), channel fastest; `patches` (N, P), written.
inline void patchify(std::span<float const> pixels,
                     image_extent const& image,
                     patch_extent const& patch,
                     matrix_view<float> patches) {
  assert(detail::patches_fit(image, patch, pixels, patches));
  index_t const run = patch.width * image.channels;
  detail::for_each_patch_row(image, patch, [&](index_t from, index_t index, index_t to) {
    std::copy_n(pixels.data() + from, run, patches.row(index).data() + to);
  });
}

/// Puts an image together from its patches: the inverse of patchify.
/// `patches` (N, P); `pixels` (H, W, C), written.
inline void unpatchify(matrix_view<float const> patches,
                       image_extent const& image,
                       patch_extent const& patch,
                       std::span<float> pixels) {
  assert(detail::patches_fit<float const>(image, patch, pixels, patches));
  index_t const run = patch.width * image.channels;
  detail::for_each_patch_row(image, patch, [&](index_t to, index_t index, index_t from) {
    std::copy_n(patches.row(index).data() + from, run, pixels.data() + to);
  });
}

}  // namespace mae
