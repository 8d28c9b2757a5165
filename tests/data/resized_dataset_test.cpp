#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/resize.hpp>
#include <mae/data/resized_dataset.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

/// Two images of 6 x 5 with labels.
mae::memory_dataset<std::uint8_t> stored_images() {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 2 * 6 * 5 * 3; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 37 % 256));
  return {std::move(pixels), {.extent = {6, 5, 3}}, {{1, 0}, 2}};
}

}  // namespace

static_assert(mae::Dataset<mae::resized_dataset<mae::memory_dataset<float>>>);

TEST_CASE("images of their own size are read as they are") {
  auto const stored = stored_images();
  mae::resized_dataset const images(stored);
  std::vector<float> expected(6 * 5 * 3);
  std::vector<float> read(expected.size());
  for (mae::index_t i = 0; i < 2; ++i) {
    stored.read(i, expected);
    images.read(i, read);
    CHECK(read == expected);
    CHECK(images.label(i) == stored.label(i));
  }
  CHECK(images.size() == 2);
  CHECK(images.num_classes() == 2);
}

TEST_CASE("8-bit images are resampled to 8-bit images") {
  auto const stored = stored_images();
  mae::resized_dataset const images(stored, {16, 12, 3});
  CHECK(images.extent() == mae::image_extent{16, 12, 3});
  CHECK(images.original().extent() == mae::image_extent{6, 5, 3});
  std::vector<float> source(6 * 5 * 3);
  std::vector<float> read(16 * 12 * 3);
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> exact(read.size());
  mae::byte_resizer resizer;
  stored.read(1, source);
  for (float const value : source)
    bytes.push_back(static_cast<std::uint8_t>(std::round(value * 255.0F)));
  resizer({bytes, {6, 5, 3}},
          mae::resampling::whole({0, 0, 6, 5}, 16, 12),
          mae::interpolation::bicubic,
          {exact, {16, 12, 3}});
  images.read(1, read);
  for (std::size_t i = 0; i < read.size(); ++i) {
    CHECK(read[i] == static_cast<float>(exact[i]) / 255.0F);
  }
  CHECK(std::ranges::count(exact, 0) + std::ranges::count(exact, 255) > 0);
}

TEST_CASE("floats stay what the kernel makes of them") {
  mae::memory_dataset<float> const stored({0, 1, 1, 0}, {.extent = {2, 2, 1}});
  mae::resized_dataset const images(stored, {5, 5, 1});
  std::vector<float> read(25);
  images.read(0, read);
  CHECK(*std::ranges::max_element(read) > 1.0F);
}

TEST_CASE("other channels are refused") {
  CHECK_THROWS_AS((mae::resized_dataset(stored_images(), {16, 16, 1})), mae::config_error);
}
