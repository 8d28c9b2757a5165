#include "editable_file.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/images.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

mae::image_extent const square{224, 224, 3};

mae::picture_fit by_edge(mae::index_t edge, mae::middle_start middle = mae::middle_start::lower) {
  mae::picture_fit fit;
  fit.shortest_edge = edge;
  fit.middle = middle;
  return fit;
}

mae::picture_fit by_size(mae::index_t height, mae::index_t width) {
  mae::picture_fit fit;
  fit.resized_height = height;
  fit.resized_width = width;
  return fit;
}

}  // namespace

TEST_CASE("the shorter side gets the length, the other that of the proportions, truncated") {
  auto const plan = mae::plan_fit(333, 500, square, by_edge(256));
  CHECK(plan.from == mae::pixel_box{0, 0, 333, 500});
  CHECK(plan.height == 256);
  CHECK(plan.width == 384);  // 384.38
  CHECK(plan.kept == mae::pixel_box{16, 80, 224, 224});
  auto const tall = mae::plan_fit(431, 300, square, by_edge(224));
  CHECK(tall.height == 321);  // 321.81
  CHECK(tall.width == 224);
  CHECK(tall.kept == mae::pixel_box{48, 0, 224, 224});  // 48.5
}

TEST_CASE("half a pixel of the middle goes where transformers or where torchvision put it") {
  for (mae::index_t const more : {0, 1, 2, 3, 4, 5, 6, 7, 9, 11}) {
    auto const size = by_size(224, 224 + more);
    auto even = size;
    even.middle = mae::middle_start::even;
    CHECK(mae::plan_fit(9, 9, square, size).kept.left == more / 2);
    // Python's round(more / 2).
    std::vector<mae::index_t> const rounded{0, 0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6};
    CHECK(mae::plan_fit(9, 9, square, even).kept.left == rounded[static_cast<std::size_t>(more)]);
  }
}

TEST_CASE("what is cut out is what resizing whole and cutting gives") {
  mae::image_bytes picture{{37, 51, 3}, {}};
  for (mae::index_t i = 0; i < picture.extent.values(); ++i)
    picture.pixels.push_back(static_cast<std::uint8_t>(i * i * 31 % 251));
  mae::byte_resizer resizer;
  for (auto const kind : {mae::interpolation::bilinear, mae::interpolation::bicubic}) {
    for (auto const& fit : {by_edge(20), by_edge(70), by_size(16, 60), by_size(37, 51)}) {
      auto const part = mae::fit_image(picture, {16, 12, 3}, fit, kind, resizer);
      auto const plan = mae::plan_fit(37, 51, {16, 12, 3}, fit);
      auto const whole = mae::fit_image(
          picture, {plan.height, plan.width, 3}, {.kind = mae::image_fit::stretch}, kind, resizer);
      for (mae::index_t y = 0; y < 16; ++y) {
        auto const first =
            whole.pixels.begin() + ((y + plan.kept.top) * plan.width + plan.kept.left) * 3;
        CHECK(std::equal(first, first + 36, part.pixels.begin() + y * 36));
      }
    }
  }
}

TEST_CASE("what is resampled is Pillow's, to the bit, the rows first") {
  auto const file =
      mae::safetensors_file::load(MAE_TESTS_DIR "/images/fixtures/resized.safetensors");
  auto const bytes = [&](std::string const& name) {
    auto const* const found = file.find(name);
    REQUIRE(found != nullptr);
    auto const* const first = mae::memory_as<std::uint8_t const>(found->bytes.data());
    return std::vector<std::uint8_t>(first, first + found->bytes.size());
  };
  mae::image_bytes const picture{{61, 83, 3}, bytes("picture")};
  struct {
    std::string name;
    mae::image_extent extent;
    mae::picture_fit fit;
  } const cases[] = {
      {"crop", {16, 16, 3}, {}},
      {"stretch", {16, 16, 3}, {.kind = mae::image_fit::stretch}},
      {"tall", {9, 70, 3}, {.kind = mae::image_fit::stretch}},
      {"shortest edge", {16, 16, 3}, by_edge(20)},
      {"shortest edge, even middle", {16, 16, 3}, by_edge(20, mae::middle_start::even)},
      {"larger", {16, 16, 3}, by_edge(99)}};
  mae::byte_resizer resizer;
  for (auto const& one : cases) {
    auto const& name = one.name;
    auto const& extent = one.extent;
    auto const& fit = one.fit;
    CAPTURE(name);
    CHECK(mae::fit_image(picture, extent, fit, mae::interpolation::bilinear, resizer).pixels ==
          bytes(name + " bilinear"));
    CHECK(mae::fit_image(picture, extent, fit, mae::interpolation::bicubic, resizer).pixels ==
          bytes(name + " bicubic"));
  }
}

TEST_CASE("a picture that is decoded by rows is the one that is decoded whole") {
  mae::byte_resizer resizer;
  for (std::string const name : {"photo.jpg", "progressive.jpeg", "cmyk.jpg", "rgb.png"}) {
    std::string const path = MAE_TESTS_DIR "/images/fixtures/" + name;
    for (mae::index_t const channels : {1, 3}) {
      mae::image_folder_options const options{.extent = {8, 7, channels}, .fit = by_edge(9)};
      auto const whole = mae::fit_image(
          mae::decode_image(path, channels), options.extent, options.fit, options.kind, resizer);
      CHECK(mae::decode_fitted(path, options).pixels == whole.pixels);
    }
  }
}

TEST_CASE("a picture from which too little is left is refused by name") {
  std::string const path = MAE_TESTS_DIR "/images/fixtures/rgb.png";
  std::string const what = refusal_of<mae::config_error>([&] {
    mae::decode_fitted(path, {.extent = {30, 8, 3}, .fit = by_edge(20)});
  });
  CHECK(what.starts_with(path));
}

TEST_CASE("a cut larger than the resized picture is refused") {
  std::string const what =
      refusal_of<mae::config_error>([] { mae::plan_fit(100, 300, square, by_edge(192)); });
  CHECK(what.find("100x300 pixels is resized to 192x576") != std::string::npos);
  CHECK(what.find("zeros") != std::string::npos);
  CHECK_THROWS_AS(mae::plan_fit(9, 9, square, by_size(224, 223)), mae::config_error);
}

TEST_CASE("lengths that say nothing or two things are refused") {
  mae::require_valid(mae::picture_fit{});
  mae::require_valid(by_edge(256));
  CHECK_THROWS_AS(mae::require_valid(by_edge(-1)), mae::config_error);
  CHECK_THROWS_AS(mae::require_valid(by_edge(1'000'001)), mae::config_error);
  CHECK_THROWS_AS(mae::require_valid(by_size(224, 0)), mae::config_error);
  auto both = by_size(224, 224);
  both.shortest_edge = 224;
  CHECK_THROWS_AS(mae::require_valid(both), mae::config_error);
}
