#include "system_calls.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/save_pretrained.hpp>
#include <mae/io/folder_change.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

// A folder whose files are replaced together stays whole: requirements R8 to R10.

namespace {

namespace fs = std::filesystem;

/// Every entry of a folder: its bytes, of a link "-> " and where it leads.
std::map<std::string, std::string> contents(fs::path const& folder) {
  std::map<std::string, std::string> all;
  for (auto const& entry : fs::directory_iterator(folder))
    all[entry.path().filename()] =
        entry.is_symlink() ? "-> " + fs::read_symlink(entry).string() : read_text(entry.path());
  return all;
}

mae::pretrained_model model_of(char const* fixture) {
  return mae::read_pretrained(std::string(MAE_TESTS_DIR) + "/interop/fixtures/" + fixture);
}

/// A folder that holds one model, and what makes it another's.
struct converted_folder {
  converted_folder() {
    first.description["pixel_mean"] = first.description["pixel_deviation"] = "0.5";
    first.description["pixel_scale"] = "1";
    mae::save_pretrained(path, first, mae::checkpoint_format::huggingface);
    write_text(path + "/README.md", "mine");
    write_text(path + "/model.safetensors.index.json", "stale");
  }
  void convert() const { mae::save_pretrained(path, second, mae::checkpoint_format::huggingface); }

  mae_test::temporary_folder folder;
  std::string path = folder.file("model");
  mae::pretrained_model first = model_of("grey");
  mae::pretrained_model second = model_of("five");
};

std::map<std::string, std::string> const& new_contents() {
  static auto const expected = [] {
    converted_folder const made;
    made.convert();
    return contents(made.path);
  }();
  return expected;
}

/// Converts with a fault that `arm` sets; whether it struck. The folder is the old or the new one.
bool convert_with(std::function<void(system_calls&)> const& arm) {
  converted_folder const made;
  auto const before = contents(made.path);
  REQUIRE(before.size() == 5);
  bool failed = false;
  bool struck = false;
  {
    system_calls calls;
    arm(calls);
    try {
      made.convert();
    } catch (mae::io_error const&) {
      failed = true;
    }
    struck = calls.struck();
  }
  auto const after = contents(made.path);
  CHECK((after == before || after == new_contents()));
  if (!failed) CHECK(after == new_contents());
  return struck;
}

}  // namespace

TEST_CASE("a conversion replaces the files of a model, and leaves others") {
  auto const& files = new_contents();
  CHECK(files.size() == 3);  // the index of another model and its statistics are gone
  CHECK(files.at("README.md") == "mine");
  CHECK(files.contains("config.json"));
  CHECK(files.contains("model.safetensors"));
}

TEST_CASE("each failing call of a conversion leaves the old folder whole, or the new one") {
  new_contents();  // made without a fault
  std::array const kinds{system_call::open,
                         system_call::write,
                         system_call::fsync,
                         system_call::rename,
                         system_call::close};
  int strikes = 0;
  for (system_call const kind : kinds)
    for (int const error_number : {EIO, ENOSPC}) {
      CAPTURE(static_cast<int>(kind));
      int nth = 1;
      while (convert_with([&](system_calls& calls) { calls.fail(kind, nth, error_number); })) {
        CAPTURE(nth);
        REQUIRE(nth < 200);
        ++nth;
        ++strikes;
      }
    }
  CHECK(strikes > 40);  // or the faults did not strike where they should
}

TEST_CASE("a disk that fills up during a conversion leaves the old folder whole") {
  new_contents();
  for (std::size_t bytes = 0; bytes < 40'000; bytes += 1'009) {
    CAPTURE(bytes);
    convert_with([&](system_calls& calls) { calls.fill_disk_after(bytes); });
  }
}

TEST_CASE("the file that others are read with goes first and comes last") {
  converted_folder const made;
  system_calls calls;
  made.convert();
  std::vector<std::string> renames;
  for (auto const& line : calls.log())
    if (line.starts_with("rename") || line == "fsync model") renames.push_back(line);
  std::vector<std::string> const expected{
      "rename model.safetensors.index.json model.safetensors.index.json.#.replaced",
      "rename model.safetensors model.safetensors.#.replaced",
      "rename config.json config.json.#.replaced",
      "rename preprocessor_config.json preprocessor_config.json.#.replaced",
      "fsync model",
      "rename config.json.#.partial config.json",
      "fsync model",
      "rename model.safetensors.#.partial model.safetensors",
      "fsync model"};
  CHECK(renames == expected);
}

TEST_CASE("a conversion that fails leaves no new folder behind") {
  mae_test::temporary_folder const folder;
  auto const model = model_of("grey");
  for (int nth = 1; nth <= 3; ++nth) {
    {
      system_calls calls;
      calls.fail(system_call::write, nth, ENOSPC);
      CHECK_THROWS_AS(
          mae::save_pretrained(folder.file("new/"), model, mae::checkpoint_format::huggingface),
          mae::io_error);
    }
    CHECK(folder.entries() == 0);
  }
  mae::save_pretrained(folder.file("a/b/"), model, mae::checkpoint_format::huggingface);
  CHECK(contents(folder / "a" / "b").size() == 2);
}

TEST_CASE("files of a folder: links are replaced, not followed; what is no file is refused") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("f");
  fs::create_directory(path);
  write_text(folder.file("shared"), "of others");
  fs::create_symlink("../shared", path + "/a");
  {
    mae::folder_change change(path);
    change.add_text("a", "new");
    change.remove("b");
    change.commit();
  }
  CHECK(contents(path) == std::map<std::string, std::string>{{"a", "new"}});
  CHECK(read_text(folder.file("shared")) == "of others");
  REQUIRE(::mkfifo((path + "/pipe").c_str(), 0600) == 0);
  fs::create_directory(path + "/inner");
  mae::folder_change change(path);
  CHECK_THROWS_AS(change.add("pipe"), mae::io_error);
  CHECK_THROWS_AS(change.remove("inner"), mae::io_error);
  CHECK_THROWS_AS(mae::folder_change(folder.file("missing/folder")), mae::io_error);
  CHECK_THROWS_AS(mae::folder_change(folder.file("shared")).add("a"), mae::io_error);
}

TEST_CASE("where a conversion cannot write is found before its work, and nothing is changed") {
  using mae::checkpoint_format;
  mae_test::temporary_folder const folder;
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  write_text(folder.file("file"), "old");
  for (auto const* const path : {"pipe", "missing/file"})
    CHECK_THROWS_AS(mae::require_writable(folder.file(path), checkpoint_format::official),
                    mae::io_error);
  for (auto const* const path : {"pipe", "file"})
    CHECK_THROWS_AS(mae::require_writable(folder.file(path), checkpoint_format::huggingface),
                    mae::io_error);
  CHECK_THROWS_AS(mae::require_writable("/dev/null", checkpoint_format::timm), mae::io_error);
  mae::require_writable(folder.file("file"), checkpoint_format::official);
  mae::require_writable(folder.file("new"), checkpoint_format::huggingface);
  CHECK(read_text(folder.file("file")) == "old");
  CHECK(folder.entries() == 2);
}

TEST_CASE("a model with a value that is not finite is not written, and the tensor is named") {
  converted_folder made;
  auto const before = contents(made.path);
  made.second.values[made.second.layout.find("norm.bias").offset] =
      std::numeric_limits<float>::quiet_NaN();
  std::string message;
  try {
    made.convert();
  } catch (mae::numeric_error const& error) {
    message = error.what();
  }
  CHECK(message.find("layernorm.bias") != std::string::npos);
  CHECK(contents(made.path) == before);
}
