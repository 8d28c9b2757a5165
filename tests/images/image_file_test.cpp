#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/images.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::string const folder = MAE_TESTS_DIR "/images/fixtures/";

mae::image_bytes tensor(mae::safetensors_file const& file, std::string const& name) {
  auto const* const found = file.find(name);
  REQUIRE(found != nullptr);
  mae::image_bytes image{{found->shape[0], found->shape[1], found->shape[2]}, {}};
  image.pixels.resize(found->bytes.size());
  std::memcpy(image.pixels.data(), found->bytes.data(), found->bytes.size());
  return image;
}

std::string text(mae::safetensors_file const& file, std::string const& name) {
  auto const* const found = file.find(name);
  REQUIRE(found != nullptr);
  return {mae::memory_as<char const>(found->bytes.data()), found->bytes.size()};
}

/// What Pillow read (make_fixtures.py).
mae::image_bytes expected(std::string const& name) {
  return tensor(mae::safetensors_file::load(folder + "expected.safetensors"), name);
}

int largest_difference(std::vector<std::uint8_t> const& a, std::vector<std::uint8_t> const& b) {
  REQUIRE(a.size() == b.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("PNG files are decoded as Pillow does it") {
  for (std::string const name : {"rgb.png", "grey.png", "palette.png", "transparent.png"}) {
    CAPTURE(name);
    auto const image = mae::decode_image(folder + name);
    auto const exact = expected(name);
    CHECK(image.extent == exact.extent);
    CHECK(image.pixels == exact.pixels);
    CHECK(mae::decode_image(folder + name, 1).pixels == expected(name + " grey").pixels);
  }
  CHECK(mae::decode_image(folder + "grey.png", 1).extent == mae::image_extent{9, 14, 1});
}

TEST_CASE("every kind of PNG is read in stored values, whatever gamma it notes") {
  mae_test::temporary_folder const scratch;
  auto const files = mae::safetensors_file::load(folder + "pngs.safetensors");
  std::string const gamma = text(files, "gAMA");
  std::string const path = scratch.file("one.png");
  int kinds = 0;
  for (auto const& entry : files.tensors()) {
    std::string const& name = entry.name;
    if (!name.ends_with(" file")) continue;
    CAPTURE(name);
    ++kinds;
    std::string const kind = name.substr(0, name.size() - std::string(" file").size());
    std::string content = text(files, name);
    write_text(path, content);
    CHECK(mae::decode_image(path).pixels == tensor(files, kind).pixels);
    CHECK(mae::decode_image(path, 1).pixels == tensor(files, kind + " grey").pixels);
    constexpr std::size_t behind_header = 33;
    write_text(path, content.insert(behind_header, gamma));
    CHECK(mae::decode_image(path).pixels == tensor(files, kind).pixels);
    CHECK(mae::decode_image(path, 1).pixels == tensor(files, kind + " grey").pixels);
  }
  CHECK(kinds == 52);
}

TEST_CASE("JPEG files are decoded as Pillow does it") {
  for (std::string const name : {"photo.jpg",
                                 "progressive.jpeg",
                                 "grey.jpg",
                                 "restarts.jpg",
                                 "stored_rgb.jpg",
                                 "cmyk.jpg",
                                 "ycck.jpg"}) {
    CAPTURE(name);
    auto const image = mae::decode_image(folder + name);
    auto const exact = expected(name);
    CHECK(image.extent == exact.extent);
    CHECK(largest_difference(image.pixels, exact.pixels) <= 1);
    auto const grey = mae::decode_image(folder + name, 1);
    CHECK(grey.extent == mae::image_extent{24, 33, 1});
    CHECK(largest_difference(grey.pixels, expected(name + " grey").pixels) <= 1);
  }
}

TEST_CASE("stray bytes between a JPEG's segments are passed over") {
  CHECK(mae::decode_image(folder + "stray.jpg").pixels ==
        mae::decode_image(folder + "photo.jpg").pixels);
}

TEST_CASE("a picture is resampled as PIL does it") {
  mae::byte_resizer resizer;
  auto const image = mae::fit_image(mae::decode_image(folder + "rgb.png"),
                                    {16, 24, 3},
                                    {mae::image_fit::stretch},
                                    mae::interpolation::bicubic,
                                    resizer);
  CHECK(image.pixels == expected("resized").pixels);
}

TEST_CASE("a crop is the middle, as large as the proportions allow") {
  mae::byte_resizer resizer;
  auto const picture = mae::decode_image(folder + "rgb.png");  // 9 x 14
  auto const square = mae::fit_image(
      picture, {9, 9, 3}, {mae::image_fit::crop}, mae::interpolation::bicubic, resizer);
  for (mae::index_t y = 0; y < 9; ++y)
    for (mae::index_t x = 0; x < 9; ++x)
      for (mae::index_t c = 0; c < 3; ++c)
        CHECK(square.pixels[static_cast<std::size_t>((y * 9 + x) * 3 + c)] ==
              picture.pixels[static_cast<std::size_t>((y * 14 + x + 2) * 3 + c)]);
}

TEST_CASE("damaged, cut, other and too large files are refused by name") {
  mae_test::temporary_folder const scratch;
  auto const refusal = [](std::string const& path, mae::image_limits const& limits = {}) {
    std::string const what =
        refusal_of<mae::format_error>([&] { mae::decode_image(path, 3, limits); });
    CHECK(what.starts_with(path));
    return what;
  };
  CHECK(refusal(folder + "rgb_cut.png").find("PNG: ") != std::string::npos);
  CHECK(refusal(folder + "photo_cut.jpg").find("JPEG: ") != std::string::npos);
  CHECK(refusal(folder + "expected.safetensors").find("neither a PNG nor a JPEG") !=
        std::string::npos);
  CHECK(refusal(folder + "rgb.png", {.pixels = 125})
            .find("9x14 pixels; at most 125 are read (--max-pixels)") != std::string::npos);
  CHECK(refusal(folder + "photo.jpg", {.pixels = 791}).find("24x33") != std::string::npos);
  CHECK(refusal(folder + "rgb.png", {.file_bytes = 10}).find("at most 10") != std::string::npos);
  std::string const empty = scratch.file("empty.png");
  write_text(empty, "");
  refusal(empty);
  // A header that promises four thousand million pixels costs no memory.
  std::string huge = read_text(folder + "rgb.png");
  huge.replace(16, 8, std::string("\0\0\xFF\xFF\0\0\xFF\xFF", 8));
  write_text(scratch.file("huge.png"), huge);
  refusal(scratch.file("huge.png"));
  CHECK_THROWS_AS(mae::decode_image(scratch.file("absent.png")), mae::io_error);
  CHECK_THROWS_AS(mae::decode_image(folder + "rgb.png", 4), mae::config_error);
}

TEST_CASE("wherever a picture is cut, it is refused") {
  mae_test::temporary_folder const scratch;
  for (std::string const name : {"photo.jpg", "progressive.jpeg", "restarts.jpg", "rgb.png"}) {
    CAPTURE(name);
    std::string const whole = read_text(folder + name);
    // The last chunk of a PNG says nothing.
    std::size_t const needed = whole.size() - (name.ends_with(".png") ? 12 : 0);
    for (std::size_t size = 0; size < needed; ++size) {
      CAPTURE(size);
      write_text(scratch.file(name), whole.substr(0, size));
      CHECK_THROWS_AS(mae::decode_image(scratch.file(name)), mae::format_error);
    }
  }
}

TEST_CASE("whichever byte of a picture is wrong, it is decoded or refused") {
  mae_test::temporary_folder const scratch;
  for (std::string const name : {"rgb.png", "photo.jpg", "progressive.jpeg", "ycck.jpg"}) {
    std::string const whole = read_text(folder + name);
    for (std::size_t i = 0; i < whole.size(); i += 3) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(~damaged[i]);
      write_text(scratch.file(name), damaged);
      try {
        mae::decode_image(scratch.file(name));
      } catch (mae::format_error const&) {
        continue;
      }
    }
  }
}
