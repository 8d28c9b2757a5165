#include "system_calls.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

// Failing calls while a file is saved: requirements R8, R9 and R10.

namespace {

constexpr std::array<double, 100> values{1.0, 2.0, 3.0};

/// A file with two tensors and `text` in its metadata.
void save(std::string const& path, std::string const& text) {
  auto const bytes = std::as_bytes(std::span(values));
  std::array<mae::tensor_entry, 2> const tensors{
      {{"a", mae::dtype::f64, {100}, bytes}, {"b", mae::dtype::f64, {1}, bytes.first(8)}}};
  mae::save_safetensors(path, tensors, {{"text", text}});
}

std::string loaded(std::string const& path) {
  return mae::safetensors_file::load(path).metadata().at("text");
}

/// A folder with an old file in it.
struct old_file {
  old_file() { save(path, "old"); }
  mae_test::temporary_folder folder;
  std::string path = folder.file("a.safetensors");
};

struct outcome {
  bool struck = false;
  int error_number = 0;  // of the io_error thrown; 0 for none
};

/// Saves over the old file with a fault that `arm` sets.
template <class Arm>
outcome save_with(old_file const& file, Arm arm) {
  system_calls calls;
  arm(calls);
  outcome result;
  try {
    save(file.path, "new");
  } catch (mae::io_error const& e) {
    result.error_number = e.error_number();
    CHECK((e.file() == file.path || e.file() == file.folder.path()));
  }
  result.struck = calls.struck();
  return result;
}

/// Saves while the `nth` such call fails; `strikes` says whether there are so many.
void check_fault(system_call call, int nth, int error_number, bool strikes) {
  CAPTURE(static_cast<int>(call));
  CAPTURE(error_number);
  CAPTURE(nth);
  old_file const file;
  auto const result =
      save_with(file, [&](system_calls& calls) { calls.fail(call, nth, error_number); });
  CHECK(result.struck == strikes);
  bool const interrupted = error_number == EINTR && call != system_call::rename;
  // The folder is opened to be read: that its close fails loses nothing.
  bool const harmless = !strikes || interrupted || (call == system_call::close && nth == 2);
  // Only the folder's fsync comes after the rename.
  bool const replaced = harmless || (call == system_call::fsync && nth == 2);
  CHECK(result.error_number == (harmless ? 0 : error_number));
  CHECK(loaded(file.path) == (replaced ? "new" : "old"));
  CHECK(file.folder.entries() == 1);
}

/// The order in which the calls stand in `log` for a save without faults.
std::vector<std::string> const expected_log{"open a.safetensors.#.partial",
                                            "write a.safetensors.#.partial",
                                            "write a.safetensors.#.partial",
                                            "write a.safetensors.#.partial",
                                            "fsync a.safetensors.#.partial",
                                            "close a.safetensors.#.partial",
                                            "open FOLDER",
                                            "rename a.safetensors.#.partial a.safetensors",
                                            "fsync FOLDER",
                                            "close FOLDER"};

std::string with_folder(std::string line, std::string const& folder) {
  auto const at = line.find("FOLDER");
  if (at != std::string::npos) line.replace(at, 6, folder);
  return line;
}

}  // namespace

TEST_CASE("each failing call of a save leaves the old file or the new one, and no temporary") {
  // How often a save makes each call.
  std::map<system_call, int> const counts{{system_call::open, 2},
                                          {system_call::write, 3},
                                          {system_call::fsync, 2},
                                          {system_call::rename, 1},
                                          {system_call::close, 2}};
  for (auto const& count : counts)
    for (int const error_number : {EIO, ENOSPC, EINTR})
      for (int nth = 1; nth <= count.second + 1; ++nth)
        check_fault(count.first, nth, error_number, nth <= count.second);
}

TEST_CASE("a short write goes on where it stopped") {
  for (int nth = 1; nth <= 3; ++nth) {
    old_file const file;
    auto const result =
        save_with(file, [&](system_calls& calls) { calls.shorten(system_call::write, nth); });
    CHECK(result.struck);
    CHECK(result.error_number == 0);
    CHECK(loaded(file.path) == "new");
  }
}

TEST_CASE("a disk that fills up at any byte leaves the old file, and saving works again after") {
  old_file const file;
  std::size_t const size = read_text(file.path).size();
  for (std::size_t bytes = 0; bytes < size; ++bytes) {
    CAPTURE(bytes);
    auto const result = save_with(file, [&](system_calls& calls) { calls.fill_disk_after(bytes); });
    CHECK(result.struck);
    CHECK(result.error_number == ENOSPC);
    CHECK(loaded(file.path) == "old");
    CHECK(file.folder.entries() == 1);
  }
  save(file.path, "new");
  CHECK(loaded(file.path) == "new");
}

TEST_CASE("a folder that cannot be synced is not an error") {
  old_file const file;
  auto const result =
      save_with(file, [&](system_calls& calls) { calls.fail(system_call::fsync, 2, EINVAL); });
  CHECK(result.struck);
  CHECK(result.error_number == 0);
  CHECK(loaded(file.path) == "new");
}

TEST_CASE("a save is on the disk before it replaces, and the folder after") {
  old_file const file;
  system_calls calls;
  save(file.path, "new");
  std::vector<std::string> expected;
  for (std::string const& line : expected_log)
    expected.push_back(with_folder(line, file.folder.path().filename()));
  CHECK(calls.log() == expected);
}
