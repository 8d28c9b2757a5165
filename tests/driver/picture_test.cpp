#include "picture.hpp"

#include "png_file.hpp"
#include "temporary_folder.hpp"

#include <mae/core/error.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

namespace {

using pretrain::float_image;
using pretrain::picture;
using pretrain::reconstruction;
using pretrain::rgb;

/// An image of one value in every channel.
float_image plain(mae::image_extent const& extent, float value) {
  return {extent, std::vector<float>(static_cast<std::size_t>(extent.values()), value)};
}

reconstruction row_of(float_image const& image) {
  return {image, image, image, image};
}

constexpr pretrain::sheet_layout tight = {.image_width = 4, .image_height = 2, .gap = 1};

TEST_CASE("compose hides, and pastes what was hidden") {
  // 2 x 6 pixels in patches of 1 x 3: the four patches are halves of the two rows.
  mae::image_extent const extent = {.height = 2, .width = 6, .channels = 2};
  std::vector<std::uint8_t> const hidden = {0, 1, 1, 0};
  auto const row = pretrain::compose(plain(extent, 0.25F), plain(extent, 0.75F), {1, 3}, hidden);
  for (std::size_t i = 0; i < row.original.values.size(); ++i) {
    bool const is_hidden = (i >= 6 && i < 12) || (i >= 12 && i < 18);
    CAPTURE(i);
    CHECK(row.original.values[i] == 0.25F);
    CHECK(row.masked.values[i] == (is_hidden ? 0.5F : 0.25F));
    CHECK(row.reconstructed.values[i] == 0.75F);
    CHECK(row.pasted.values[i] == (is_hidden ? 0.75F : 0.25F));
  }
}

TEST_CASE("compose refuses images and masks that do not belong together") {
  mae::image_extent const extent = {.height = 2, .width = 2, .channels = 1};
  std::vector<std::uint8_t> const four(4, 1);
  std::vector<std::uint8_t> const three(3, 1);
  CHECK_THROWS_AS(pretrain::compose(plain(extent, 0), plain(extent, 0), {1, 1}, three),
                  mae::config_error);
  CHECK_THROWS_AS(pretrain::compose(plain(extent, 0), plain({2, 2, 3}, 0), {1, 1}, four),
                  mae::config_error);
  float_image cut = plain(extent, 0);
  cut.values.pop_back();
  CHECK_THROWS_AS(pretrain::compose(cut, plain(extent, 0), {1, 1}, four), mae::config_error);
}

TEST_CASE("a sheet shows the four images from left to right, between gaps") {
  mae::image_extent const extent = {.height = 1, .width = 2, .channels = 3};
  reconstruction const row = {
      plain(extent, 0.0F), plain(extent, 0.2F), plain(extent, 0.4F), plain(extent, 1.0F)};
  picture const sheet = pretrain::draw_sheet({&row, 1}, tight);
  CHECK(sheet.width() == 4 * 4 + 5);
  CHECK(sheet.height() == 2 + 2);
  CHECK(sheet.at(0, 0) == tight.background);
  CHECK(sheet.at(1, 1) == rgb{0, 0, 0});
  CHECK(sheet.at(1, 5) == tight.background);
  CHECK(sheet.at(2, 6) == rgb{51, 51, 51});
  CHECK(sheet.at(2, 11) == rgb{102, 102, 102});
  CHECK(sheet.at(1, 19) == rgb{255, 255, 255});
}

TEST_CASE("rows fill one block after the other") {
  mae::image_extent const extent = {.height = 1, .width = 2, .channels = 1};
  std::vector<reconstruction> const rows = {
      row_of(plain(extent, 0.2F)), row_of(plain(extent, 0.4F)), row_of(plain(extent, 0.6F))};
  pretrain::sheet_layout layout = tight;
  layout.blocks = 2;
  picture const sheet = pretrain::draw_sheet(rows, layout);
  CHECK(sheet.width() == 2 * (4 * 5 + 2) - 1);
  CHECK(sheet.height() == 2 * 3 + 1);
  CHECK(sheet.at(1, 1) == rgb{51, 51, 51});
  CHECK(sheet.at(4, 1) == rgb{102, 102, 102});
  CHECK(sheet.at(1, 23) == rgb{153, 153, 153});
  CHECK(sheet.at(4, 23) == layout.background);
}

TEST_CASE("one channel is grey, two lack blue, more than three are cut") {
  auto const first_pixel = [](float_image const& image) {
    reconstruction const row = row_of(image);
    return pretrain::draw_sheet({&row, 1}, {.image_width = 1, .image_height = 1, .gap = 0})
        .at(0, 0);
  };
  CHECK(first_pixel({{1, 1, 1}, {0.2F}}) == rgb{51, 51, 51});
  CHECK(first_pixel({{1, 1, 2}, {0.2F, 0.4F}}) == rgb{51, 102, 0});
  CHECK(first_pixel({{1, 1, 4}, {0.2F, 0.4F, 0.6F, 0.8F}}) == rgb{51, 102, 153});
  CHECK(first_pixel({{1, 1, 3}, {-1.0F, 2.0F, std::nanf("")}}) == rgb{0, 255, 0});
}

TEST_CASE("images grow by repeating pixels and shrink by averaging them") {
  float_image const image = {{1, 4, 1}, {0.0F, 0.4F, 0.8F, 0.8F}};
  reconstruction const row = row_of(image);
  picture const larger =
      pretrain::draw_sheet({&row, 1}, {.image_width = 8, .image_height = 3, .gap = 0});
  CHECK(larger.at(2, 1) == rgb{0, 0, 0});
  CHECK(larger.at(2, 2) == rgb{102, 102, 102});
  picture const smaller =
      pretrain::draw_sheet({&row, 1}, {.image_width = 2, .image_height = 1, .gap = 0});
  CHECK(smaller.at(0, 0) == rgb{51, 51, 51});
  CHECK(smaller.at(0, 1) == rgb{204, 204, 204});
}

TEST_CASE("a layout enlarges small images by a whole factor") {
  auto const layout = pretrain::layout_for({.height = 32, .width = 32, .channels = 3}, 10);
  CHECK(layout.image_width == 192);
  CHECK(layout.image_height == 192);
  CHECK(layout.blocks == 2);
  auto const large = pretrain::layout_for({.height = 300, .width = 500, .channels = 3}, 1);
  CHECK(large.image_width == 500);
  CHECK(large.image_height == 300);
  CHECK(large.blocks == 1);
}

TEST_CASE("a PNG reads back as it was") {
  mae_test::temporary_folder const scratch;
  picture image(5, 3, {10, 20, 30});
  image.at(0, 0) = {255, 0, 1};
  image.at(2, 4) = {7, 8, 9};
  auto const path = scratch / "image.png";
  pretrain::save_png(image, path);
  picture const again = pretrain::load_png(path);
  REQUIRE(again.width() == 5);
  REQUIRE(again.height() == 3);
  for (mae::index_t row = 0; row < 3; ++row)
    for (mae::index_t column = 0; column < 5; ++column)
      CHECK(again.at(row, column) == image.at(row, column));
  std::filesystem::directory_iterator const files(path.parent_path());
  CHECK(std::distance(begin(files), end(files)) == 1);  // no temporary is left
}

TEST_CASE("what cannot be written or read as PNG is a typed error") {
  mae_test::temporary_folder const scratch;
  CHECK_THROWS_AS(pretrain::save_png(picture(1, 1, {}), scratch / "none" / "a.png"), mae::io_error);
  CHECK_THROWS_AS(pretrain::load_png(scratch / "a.png"), mae::error);
}

}  // namespace
