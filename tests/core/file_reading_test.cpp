#include "temporary_folder.hpp"

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

/// The errno with which reading is refused; 0 where it is not.
int refusal(std::filesystem::path const& path) {
  try {
    (void)mae::read_file(path, 1000);
  } catch (mae::io_error const& error) {
    CHECK(error.file() == path.string());
    return error.error_number();
  }
  return 0;
}

}  // namespace

TEST_CASE("a file is read whole, up to the given size") {
  mae_test::temporary_folder const folder;
  auto const path = folder.path() / "five";
  std::ofstream(path, std::ios::binary) << std::string("ab\0cd", 5);
  auto const bytes = mae::read_file(path, 5);
  REQUIRE(bytes.size() == 5);
  CHECK(bytes[0] == std::byte{'a'});
  CHECK(bytes[2] == std::byte{0});
  CHECK(bytes[4] == std::byte{'d'});
  CHECK_THROWS_WITH_AS(
      (void)mae::read_file(path, 4),
      (path.string() + ": at byte 4: the file has 5 bytes, at most 4 were expected").c_str(),
      mae::format_error);

  std::ofstream(folder.path() / "empty").close();
  CHECK(mae::read_file(folder.path() / "empty", 0).empty());
}

TEST_CASE("a path with a NUL is refused, not cut") {
  mae_test::temporary_folder const folder;
  auto const path = (folder.path() / "file").string();
  std::ofstream(path) << "bytes";
  REQUIRE(mae::read_file(path, 5).size() == 5);
  CHECK(refusal(path + std::string("\0.png", 5)) == EINVAL);
}

TEST_CASE("a sparse file of a terabyte is refused before memory is taken") {
  mae_test::temporary_folder const folder;
  auto const path = folder.path() / "sparse";
  std::ofstream(path).close();
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40U);
  CHECK_THROWS_AS((void)mae::read_file(path, 1 << 20), mae::format_error);
}

TEST_CASE("what is no readable file is refused, and never waited for") {
  mae_test::temporary_folder const folder;
  CHECK(refusal(folder.path() / "missing") == ENOENT);
  CHECK(refusal(folder.path()) == EISDIR);
  CHECK(refusal("/dev/null") == EINVAL);

  auto const pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(refusal(pipe) == EINVAL);

  auto const locked = folder.path() / "locked";
  std::ofstream(locked) << "secret";
  std::filesystem::permissions(locked, std::filesystem::perms::none);
  if (::geteuid() != 0) CHECK(refusal(locked) == EACCES);  // root may read everything
}
