#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/subset.hpp>

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <vector>

namespace {

using mae::index_t;

/// Ten images of one pixel: image i is i.
mae::memory_dataset<float> ten_images() {
  std::vector<float> pixels;
  for (int i = 0; i < 10; ++i) pixels.push_back(static_cast<float>(i));
  return {pixels,
          {.extent = {.height = 1, .width = 1, .channels = 1}},
          {.classes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}};
}

}  // namespace

TEST_CASE("a subset numbers its images from 0") {
  auto const all = ten_images();
  mae::subset const part(all, 3, 7);
  CHECK(part.size() == 7);
  CHECK(part.extent() == all.extent());
  CHECK(part.label(0) == 3);
  CHECK(part.label(6) == 9);
  std::array<float, 1> pixel{};
  part.read(6, pixel);
  CHECK(pixel[0] == 9.0F);
}

TEST_CASE("a range that the dataset does not have is refused, also where its end overflows") {
  auto const all = ten_images();
  constexpr index_t most = std::numeric_limits<index_t>::max();
  CHECK_THROWS_WITH_AS(mae::subset(all, 4, 7),
                       "a subset of 7 images from image 4 on, of a dataset of 10",
                       mae::config_error);
  CHECK_THROWS_AS(mae::subset(all, -1, 5), mae::config_error);
  CHECK_THROWS_AS(mae::subset(all, 0, 0), mae::config_error);
  CHECK_THROWS_AS(mae::subset(all, 0, 11), mae::config_error);
  CHECK_THROWS_AS(mae::subset(all, 10, 1), mae::config_error);
  CHECK_THROWS_AS(mae::subset(all, 1, most), mae::config_error);
  CHECK_THROWS_AS(mae::subset(all, most, 1), mae::config_error);
  CHECK_THROWS_AS(mae::subset(all, most, most), mae::config_error);
  CHECK(mae::subset(all, 0, 10).size() == 10);
}
