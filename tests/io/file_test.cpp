#include "safetensors_bytes.hpp"
#include "system_calls.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/io/file.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

std::span<std::byte const> bytes_of(std::string const& text) {
  return std::as_bytes(std::span<char const>(text));
}

/// All bytes of a file.
std::string contents(std::string const& path) {
  mae::input_file file(path);
  std::vector<std::byte> bytes(file.size());
  file.read(bytes);
  file.expect_end();
  return text_of(bytes);
}

/// The errno of the io_error that `action` throws about `path`; 0 when it throws none.
template <class Action>
int error_of(Action action, std::string const& path) {
  try {
    action();
  } catch (mae::io_error const& e) {
    CHECK(e.file() == path);
    return e.error_number();
  }
  return 0;
}

}  // namespace

TEST_CASE("input_file gives all bytes of a file, in any pieces") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  for (std::string const& text :
       {std::string(), std::string("a\0b\n", 4), std::string(70'000, 'x')}) {
    write_text(path, text);
    CHECK(contents(path) == text);
  }
  write_text(path, "0123456789");
  mae::input_file file(path);
  std::vector<std::byte> bytes(5);
  file.read({bytes.data(), 0});
  file.read(bytes);
  CHECK(text_of(bytes) == "01234");
  CHECK_THROWS_AS(file.expect_end(), mae::format_error);
}

TEST_CASE("input_file refuses what is no regular file, and never waits") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  auto const refused = [&] { return error_of([&] { mae::input_file file(path); }, path); };
  SUBCASE("missing") {
    CHECK(refused() == ENOENT);
  }
  SUBCASE("no permission") {
    write_text(path, "x");
    system_calls calls;  // root may read anything
    calls.fail(system_call::open, 1, EACCES);
    CHECK(refused() == EACCES);
  }
  SUBCASE("a folder") {
    std::filesystem::create_directory(path);
    CHECK(refused() == EISDIR);
  }
  SUBCASE("a FIFO without a writer") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(refused() == EINVAL);
  }
  SUBCASE("a link to itself") {
    std::filesystem::create_symlink("a", path);
    CHECK(refused() == ELOOP);
  }
}

TEST_CASE("input_file survives signals and short reads, and reports errors") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  write_text(path, "0123456789");
  for (int nth = 1; nth <= 2; ++nth) {
    CAPTURE(nth);
    {
      system_calls calls;
      calls.fail(system_call::read, nth, EINTR);
      CHECK(contents(path) == "0123456789");
      CHECK(calls.struck());
    }
    {
      system_calls calls;
      calls.fail(system_call::read, nth, EIO);
      CHECK(error_of([&] { contents(path); }, path) == EIO);
    }
  }
  system_calls calls;
  calls.shorten(system_call::read, 1);
  CHECK(contents(path) == "0123456789");
  CHECK(calls.struck());
}

TEST_CASE("a file that changes while it is read is refused") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  write_text(path, "0123456789");
  std::vector<std::byte> bytes(10);
  SUBCASE("it shrinks") {
    mae::input_file file(path);
    std::filesystem::resize_file(path, 9);
    CHECK_THROWS_AS(file.read(bytes), mae::format_error);
  }
  SUBCASE("it grows") {
    mae::input_file file(path);
    std::filesystem::resize_file(path, 11);
    file.read(bytes);
    CHECK_THROWS_AS(file.expect_end(), mae::format_error);
  }
}

TEST_CASE("atomic_file replaces a file on commit alone") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  write_text(path, "old");
  {
    mae::atomic_file file(path);
    file.write(bytes_of("new "));
    file.write({});
    file.write(bytes_of("text"));
    CHECK(read_text(path) == "old");
    CHECK(folder.entries() == 2);
    SUBCASE("committed") {
      file.commit();
      CHECK(read_text(path) == "new text");
    }
    SUBCASE("not committed") {}
  }
  CHECK((read_text(path) == "old" || read_text(path) == "new text"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("atomic_file leaves the old file when it is dropped") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  write_text(path, "old");
  { mae::atomic_file(path).write(bytes_of("new")); }
  CHECK(read_text(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a path with a NUL is refused, not cut") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.path() / "file";
  std::string const longer = path + std::string("\0.txt", 5);
  mae::atomic_file file(path);
  file.write(bytes_of("old"));
  file.commit();
  CHECK(error_of([&] { mae::input_file const input(longer); }, longer) == EINVAL);
  CHECK(error_of([&] { mae::atomic_file const output(longer); }, longer) == EINVAL);
  CHECK(contents(path) == "old");
}

TEST_CASE("two atomic_files of one path do not disturb each other") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  mae::atomic_file first(path);
  mae::atomic_file second(path);
  first.write(bytes_of("first"));
  second.write(bytes_of("second"));
  first.commit();
  CHECK(read_text(path) == "first");
  second.commit();
  CHECK(read_text(path) == "second");
}

TEST_CASE("a temporary that a killed process left is stepped over") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  std::string stale;
  {
    mae::atomic_file const probe(path);
    stale = std::filesystem::directory_iterator(folder.path())->path();
  }
  // The next temporary of this process has the next number.
  auto const number = stale.rfind('-') + 1;
  stale =
      stale.substr(0, number) + std::to_string(std::stoi(stale.substr(number)) + 1) + ".partial";
  write_text(stale, "left");
  mae::atomic_file file(path);
  file.write(bytes_of("new"));
  file.commit();
  CHECK(read_text(path) == "new");
  CHECK(read_text(stale) == "left");
}

TEST_CASE("a new file has mode 0644 less the umask") {
  mae_test::temporary_folder const folder;
  for (auto const& [mask, wanted] :
       {std::pair<mode_t, mode_t>{0022, 0644}, {0077, 0600}, {0, 0644}}) {
    mode_t const before = ::umask(mask);
    mae::atomic_file file(folder.file("a"));
    ::umask(before);
    file.commit();
    struct stat status = {};
    REQUIRE(::stat(folder.file("a").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == wanted);
  }
}

TEST_CASE("atomic_file takes relative paths, and refuses folders") {
  mae_test::temporary_folder const folder;
  auto const before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  mae::atomic_file("a").commit();
  std::filesystem::current_path(before);
  CHECK(folder.entries() == 1);
  std::string const inner = folder.file("b");
  std::filesystem::create_directory(inner);
  CHECK(error_of([&] { mae::atomic_file(inner).commit(); }, inner) == EISDIR);
  CHECK(folder.entries() == 2);
  std::string const missing = folder.file("c/d");
  CHECK(error_of([&] { mae::atomic_file file(missing); }, missing) == ENOENT);
}

TEST_CASE("atomic_file refuses what is no file before anything is written") {
  mae_test::temporary_folder const folder;
  auto const refused = [](std::string const& path) {
    return error_of([&] { mae::require_replaceable(path); }, path);
  };
  std::string const pipe = folder.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(refused(pipe) == EINVAL);
  CHECK(refused("/dev/null") == EINVAL);
  CHECK(refused(folder.path().string()) == EISDIR);
  std::filesystem::create_symlink("/dev/null", folder.path() / "to_device");
  CHECK(refused(folder.file("to_device")) == EINVAL);
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  CHECK(refused(folder.file("loop")) == ELOOP);
  CHECK(refused(folder.file("missing/a")) == ENOENT);
  write_text(folder.file("file"), "old");
  CHECK(refused(folder.file("file/a")) == ENOTDIR);
  CHECK(refused(folder.file("file")) == 0);
  CHECK(refused(folder.file("new")) == 0);
  CHECK(read_text(folder.file("file")) == "old");
  CHECK(folder.entries() == 4);
}

TEST_CASE("atomic_file replaces the file that a link leads to, and the link stays") {
  namespace fs = std::filesystem;
  mae_test::temporary_folder const folder;
  fs::create_directory(folder / "there");
  auto const write_through = [&](std::string const& link) {
    mae::atomic_file file(folder.file(link));
    file.write(bytes_of("new"));
    file.commit();
  };
  SUBCASE("a link to a file") {
    write_text(folder.file("there/file"), "old");
    fs::create_symlink("there/file", folder / "link");
    write_through("link");
  }
  SUBCASE("a link to no file yet") {
    fs::create_symlink("there/file", folder / "link");
    write_through("link");
  }
  SUBCASE("a link to a link by its whole path") {
    fs::create_symlink(folder / "there" / "second", folder / "link");
    fs::create_symlink("../there/file", folder / "there" / "second");
    write_through("link");
  }
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(!fs::is_symlink(folder / "there" / "file"));
  CHECK(read_text(folder.file("there/file")) == "new");
  CHECK(read_text(folder.file("link")) == "new");
  CHECK(folder.entries() == 2);
}
