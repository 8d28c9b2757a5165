#include <mae/core/error.hpp>
#include <mae/data/memory_dataset.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::image_format;
using mae::memory_dataset;
using mae::pixel_order;

constexpr mae::image_extent extent{.height = 2, .width = 3, .channels = 2};

std::vector<std::uint8_t> count_up(std::size_t size) {
  std::vector<std::uint8_t> values(size);
  std::iota(values.begin(), values.end(), std::uint8_t{0});
  return values;
}

std::vector<float> image(mae::Dataset auto const& dataset, mae::index_t index) {
  std::vector<float> pixels(static_cast<std::size_t>(dataset.extent().values()));
  dataset.read(index, pixels);
  return pixels;
}

/// The sentence with which the values are refused.
template <class T>
std::string refusal(std::vector<T> values,
                    image_format const& format,
                    mae::image_labels labels = {}) {
  try {
    memory_dataset<T>(std::move(values), format, std::move(labels));
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("8-bit images are scaled to [0, 1], each at its place") {
  memory_dataset<std::uint8_t> const dataset(count_up(24), {.extent = extent}, {{4, 0}, 0});
  CHECK(dataset.size() == 2);
  CHECK(dataset.extent() == extent);
  CHECK(dataset.pixel_scale() == 1.0 / 255.0);
  CHECK(dataset.label(0) == 4);
  CHECK(dataset.label(1) == 0);
  CHECK(dataset.num_classes() == 5);
  auto const second = image(dataset, 1);
  for (std::size_t i = 0; i < 12; ++i) CHECK(second[i] == static_cast<float>(12 + i) / 255.0F);
}

TEST_CASE("planar images are read channel fastest") {
  memory_dataset<std::uint8_t> const dataset(
      count_up(24), {.extent = extent, .order = pixel_order::planar, .pixel_scale = 1.0});
  CHECK(image(dataset, 1) == std::vector<float>{12, 18, 13, 19, 14, 20, 15, 21, 16, 22, 17, 23});
}

TEST_CASE("float images keep their values, or take a scale") {
  std::vector<float> const values{-1.5F, 0.1F, 7000.0F, 3e-8F};
  constexpr mae::image_extent row{.height = 1, .width = 4, .channels = 1};
  memory_dataset<float> const plain(values, {.extent = row});
  CHECK(image(plain, 0) == values);
  CHECK(plain.label(0) == -1);
  CHECK(plain.num_classes() == 0);
  memory_dataset<float> const halved(values, {.extent = row, .pixel_scale = 0.5});
  CHECK(image(halved, 0)[2] == 3500.0F);
}

TEST_CASE("a view reads the caller's array; an owner and its copies keep their own") {
  std::vector<float> values(12, 1.0F);
  auto const view = memory_dataset<float>::view(values, {.extent = extent});
  memory_dataset<float> owner(values, {.extent = extent});
  memory_dataset<float> const copy = owner;
  memory_dataset<float> const moved = std::move(owner);
  values[3] = 5.0F;
  CHECK(image(view, 0)[3] == 5.0F);
  CHECK(image(copy, 0)[3] == 1.0F);
  CHECK(image(moved, 0)[3] == 1.0F);
}

TEST_CASE("arrays that do not fit are refused in a sentence") {
  image_format const format{.extent = extent};
  CHECK(refusal(count_up(24), format, {{1, 2}, 3}) == "accepted");
  CHECK(refusal(count_up(0), format) == "a dataset without images of 2x3x2: it needs at least one");
  CHECK(refusal(count_up(23), format) ==
        "23 values are no whole number of images of 2x3x2, which have 12 values each");
  CHECK(refusal(count_up(24), {.extent = {.height = 0, .width = 3, .channels = 2}}) ==
        "an image of 0x3x2: height, width and channels must be positive");
  constexpr mae::index_t huge = std::numeric_limits<mae::index_t>::max();
  CHECK(refusal(count_up(24), {.extent = {.height = huge, .width = huge, .channels = huge}})
            .find("is too large") != std::string::npos);
  CHECK(refusal(count_up(24), {.extent = extent, .pixel_scale = -1.0})
            .starts_with("the pixel scale must be positive and finite"));
  CHECK(refusal(count_up(24), format, {{1}, 0}) == "1 labels for 2 images: each image needs one");
  CHECK(refusal(count_up(24), format, {{1, 3}, 3}) == "image 1 has the label 3, of 3 classes");
  CHECK(refusal(count_up(24), format, {{-1, 3}, 0}) == "image 0 has the label -1, of 4 classes");
  CHECK(refusal(count_up(24), format, {{}, 3}) == "a number of classes, but no labels");
  CHECK(refusal(count_up(24), format, {{0, 0}, -1}) ==
        "the number of classes must not be negative");
  std::vector<float> values(24, 1.0F);
  values[13] = std::numeric_limits<float>::quiet_NaN();
  CHECK(refusal(values, format) == "image 1 has a pixel that is not finite");
}
