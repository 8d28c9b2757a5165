// Pictures whose bytes are in memory, as a request has them.

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/images/fitted_image.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace {

std::string const fixtures = MAE_TESTS_DIR "/images/fixtures";
mae::image_folder_options const options{.extent = {.height = 9, .width = 7, .channels = 3}};

}  // namespace

TEST_CASE("a picture in memory is the picture of its file") {
  int decoded = 0;
  int refused = 0;
  for (auto const& entry : std::filesystem::directory_iterator(fixtures)) {
    std::string const path = entry.path().string();
    CAPTURE(path);
    auto const bytes = mae::read_file(path, 1'000'000);
    try {
      auto const expected = mae::decode_fitted(path, options);
      CHECK(mae::decode_fitted("it", bytes, options).pixels == expected.pixels);
      ++decoded;
    } catch (mae::format_error const& refusal) {
      std::string const why = refusal.what();
      CHECK_THROWS_WITH_AS(mae::decode_fitted("it", bytes, options),
                           ("it" + why.substr(path.size())).c_str(),
                           mae::format_error);
      ++refused;
    }
  }
  CHECK(decoded > 9);
  CHECK(refused > 3);
}

TEST_CASE("what is no picture in memory is refused by its name") {
  CHECK_THROWS_WITH_AS(mae::decode_fitted("it", std::span<std::byte const>(), options),
                       "it: at byte 0: no bytes",
                       mae::format_error);
  std::vector<std::byte> const some(3, std::byte{7});
  CHECK_THROWS_AS(mae::decode_fitted("it", some, options), mae::format_error);
  auto small = options;
  small.limits.file_bytes = 2;
  CHECK_THROWS_WITH_AS(mae::decode_fitted("it", some, small),
                       "it: at byte 2: more bytes than were expected",
                       mae::format_error);
}
