#include "temporary_folder.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/images.hpp>

#include <doctest/doctest.h>
#include <jpeglib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

// R24: what pictures hold while they are decoded is bounded, over all threads.

namespace {

namespace fs = std::filesystem;

constexpr JDIMENSION side = 9000;

/// Writes a JPEG of side x side pixels, a pattern of blocks.
void write_jpeg(std::string const& path, bool is_progressive) {
  using closed_file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  closed_file const file(std::fopen(path.c_str(), "wb"), &std::fclose);
  REQUIRE(file != nullptr);
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file.get());
  jpeg.image_width = jpeg.image_height = side;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  if (is_progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<JSAMPLE> row(std::size_t{3} * side);
  for (JDIMENSION y = 0; y < side; ++y) {
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = static_cast<JSAMPLE>((i / 48 * 37 + y / 16 * 91 + i % 3 * 50) % 256);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&jpeg, &pointer, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
}

/// The most memory, in bytes, that a process of its own holds which decodes `count` such pictures.
std::int64_t peak_of(std::string const& picture, int count, int threads) {
  mae_test::temporary_folder const folder;
  for (int i = 0; i < count; ++i)
    fs::create_symlink(picture, folder / (std::to_string(1000 + i) + ".jpg"));
  pid_t const child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    mae::image_folder const images(folder.path().string(), {.extent = {224, 224, 3}});
    mae::thread_pool pool(threads);
    auto const found = mae::decode_range(images, 0, images.size(), pool);
    ::_exit(found.numbers.size() == static_cast<std::size_t>(count) ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  int status = 0;
  rusage used{};
  REQUIRE(wait4(child, &status, 0, &used) == child);
  CHECK(status == 0);
  return used.ru_maxrss * 1024;
}

}  // namespace

TEST_CASE("a folder of large pictures holds no more memory than its bound, on any threads") {
  mae_test::temporary_folder const folder;
  constexpr std::int64_t megabyte = 1'000'000;
  struct bound {
    bool is_progressive;
    std::int64_t bytes;
    int count;
  };
  for (auto const& most : {bound{false, 400 * megabyte, 100}, bound{true, 800 * megabyte, 24}}) {
    CAPTURE(most.is_progressive);
    std::string const picture =
        folder.file(most.is_progressive ? "progressive.jpg" : "baseline.jpg");
    write_jpeg(picture, most.is_progressive);
    std::int64_t const one = peak_of(picture, 1, 1);
    std::int64_t const many = peak_of(picture, most.count, 8);
    MESSAGE(
        "one: ", one / megabyte, " MB; ", most.count, " on 8 threads: ", many / megabyte, " MB");
    CHECK(one <= most.bytes);
    CHECK(many <= most.bytes);
  }
}
