#include "patch_reference.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/patch/patchify.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <numeric>
#include <vector>

namespace {

using mae::index_t;

constexpr mae::image_extent small_image{.height = 4, .width = 6, .channels = 3};
constexpr mae::patch_extent small_patch{.height = 2, .width = 3};

/// A convolution's weight (D, C, h, w) with the channel moved to the end: (D, h, w, C).
std::vector<float> channel_last_weight(index_t width) {
  index_t const channels = small_image.channels;
  index_t const pixels = small_patch.height * small_patch.width;
  std::vector<float> weight;
  for (index_t d = 0; d < width; ++d)
    for (index_t pixel = 0; pixel < pixels; ++pixel)
      for (index_t c = 0; c < channels; ++c)
        weight.push_back(
            patch_reference::weight[static_cast<std::size_t>((d * channels + c) * pixels + pixel)]);
  return weight;
}

}  // namespace

TEST_CASE("patchify orders values as a PyTorch convolution with a non-square patch does") {
  constexpr index_t count = 4;
  constexpr index_t values = 18;
  constexpr index_t width = 2;
  std::vector<float> storage(count * values);
  mae::matrix_view<float> const patches(storage.data(), count, values);
  mae::patchify(patch_reference::image, small_image, small_patch, patches);

  std::vector<float> const weight = channel_last_weight(width);
  for (index_t n = 0; n < count; ++n)
    for (index_t d = 0; d < width; ++d) {
      auto const row = patches.row(n);
      double const token =
          std::inner_product(row.begin(), row.end(), weight.begin() + d * values, 0.0);
      CHECK(token ==
            doctest::Approx(patch_reference::tokens[static_cast<std::size_t>(n * width + d)])
                .epsilon(1e-5));
    }
}

TEST_CASE("patchify walks patch rows, patch columns, pixel rows, pixel columns, channels") {
  constexpr mae::image_extent image{.height = 4, .width = 4, .channels = 2};
  constexpr mae::patch_extent patch{.height = 2, .width = 2};
  std::vector<float> pixels(32);
  std::iota(pixels.begin(), pixels.end(), 0.0F);
  std::vector<float> patches(32);
  mae::patchify(pixels, image, patch, {patches.data(), 4, 8});
  // Rows of the image are 8 values long; the patch to the right begins 4 values further.
  std::vector<float> const expected{0,  1,  2,  3,  8,  9,  10, 11, 4,  5,  6,  7,  12, 13, 14, 15,
                                    16, 17, 18, 19, 24, 25, 26, 27, 20, 21, 22, 23, 28, 29, 30, 31};
  CHECK(patches == expected);
}

TEST_CASE("unpatchify undoes patchify, also between padded rows") {
  constexpr mae::image_extent image{.height = 20, .width = 21, .channels = 4};
  constexpr mae::patch_extent patch{.height = 5, .width = 7};
  constexpr index_t count = 12;
  constexpr index_t values = 140;
  constexpr index_t stride = 144;
  std::vector<float> pixels(static_cast<std::size_t>(image.values()));
  std::iota(pixels.begin(), pixels.end(), 1.0F);
  std::vector<float> storage(count * stride, -1.0F);
  mae::matrix_view<float> const patches(storage.data(), count, values, stride);
  mae::patchify(pixels, image, patch, patches);

  std::vector<float> restored(pixels.size());
  mae::unpatchify(patches, image, patch, restored);
  CHECK(restored == pixels);
  CHECK(patches(1, 0) == pixels[7 * 4]);
  CHECK(patches(3, 0) == pixels[5 * 21 * 4]);
  for (index_t n = 0; n < count; ++n)
    CHECK(storage[static_cast<std::size_t>(n * stride + values)] == -1.0F);
}
