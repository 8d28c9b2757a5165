#include "mask_file.hpp"

#include "temporary_folder.hpp"

#include <mae/core/error.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <string>

namespace {

/// As numpy.save writes it: version 1 or 2.
std::string npy(std::string const& type,
                std::string const& shape,
                std::string const& values,
                bool fortran = false,
                int version = 1) {
  std::string header = "{'descr': '" + type +
                       "', 'fortran_order': " + (fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }";
  header.append(63 - (header.size() + 10) % 64, ' ');
  header += '\n';
  std::string file = "\x93NUMPY";
  file += {static_cast<char>(version), '\0', static_cast<char>(header.size()), '\0'};
  if (version == 2) file += {'\0', '\0'};
  return file + header + values;
}

struct masks_on_disk {
  mae_test::temporary_folder folder;

  mae::fixed_mask read(std::string const& bytes, mae::index_t images, bool more = false) const {
    std::ofstream(folder / "m.npy", std::ios::binary) << bytes;
    return pretrain::read_masks(folder / "m.npy", 4, images, more);
  }
  std::string refusal(std::string const& bytes, mae::index_t images = 2) const {
    try {
      read(bytes, images);
    } catch (mae::error const& refused) {
      return refused.what();
    }
    return "";
  }
};

std::string const two("\0\1\1\1\1\0\0\1", 8);

}  // namespace

TEST_CASE("masks of numpy are read, one for all images or one for each") {
  masks_on_disk const disk;
  CHECK(disk.read(npy("|u1", "(4,)", two.substr(0, 4)), 100).max_visible(4) == 1);
  CHECK(disk.read(npy("|b1", "(2, 4)", two), 2).max_visible(4) == 2);
  CHECK(disk.read(npy("|b1", "(2, 4)", two, false, 2), 2).max_visible(4) == 2);
  CHECK(disk.read(npy("|b1", "(2, 4)", two), 1, true).max_visible(4) == 2);
}

TEST_CASE("masks that do not fit are refused with what would") {
  masks_on_disk const disk;
  auto const has = [](std::string const& text, std::string const& part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(disk.refusal(npy("<f4", "(2, 4)", two)), "must be bool or uint8, not '<f4'");
  has(disk.refusal(npy("|b1", "(2, 4)", two, true)), "C's order");
  has(disk.refusal(npy("|b1", "(4, 2)", two)), "(4) or (images, 4)");
  has(disk.refusal(npy("|b1", "(1, 2, 4)", two)), "(4) or (images, 4)");
  has(disk.refusal(npy("|b1", "()", two)), "(4) or (images, 4)");
  has(disk.refusal(npy("|b1", "(2, 4)", two), 3), "masks for 2 images, and there are 3");
  has(disk.refusal(npy("|b1", "(2, 4)", two), 1), "masks for 2 images, and there are 1");
  has(disk.refusal(npy("|b1", "(2, 4)", two.substr(1))), "7 bytes");
  has(disk.refusal("no numpy, though long enough"), "no file of numpy.save");
  has(disk.refusal("\x93NUMPY\1"), "no file of numpy.save");
  has(disk.refusal(npy("|b1", "(2, 4)", two).substr(0, 40)), "ends within its header");
  has(disk.refusal(npy("|b1", "(2, 4)", std::string("\0\1\1\1\1\1\1\1", 8))), "hides every patch");
}

TEST_CASE("a file of masks that is not there is an input error") {
  CHECK_THROWS_AS(pretrain::read_masks("/nonexistent/m.npy", 4, 1, false), mae::io_error);
}
