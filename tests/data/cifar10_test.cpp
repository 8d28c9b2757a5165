#include "real_data.hpp"
#include "temporary_folder.hpp"

#include <mae/core/error.hpp>
#include <mae/data/cifar10.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using mae::split;

constexpr std::size_t record = mae::cifar10_layout::record_bytes;
constexpr std::size_t batch = mae::cifar10_layout::batch_records * record;

/// Records whose label and pixels tell where they stand.
std::vector<std::byte> some_records(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bool const label = i % record == 0;
    bytes[i] = static_cast<std::byte>(label ? i / record % 10 : (i / record + i % record) % 251);
  }
  return bytes;
}

void write(fs::path const& path, std::vector<std::byte> const& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<char const*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

struct refusal {
  std::uint64_t offset = 0;
  std::string reason;  // without file and offset

  friend bool operator==(refusal const&, refusal const&) = default;
};
std::ostream& operator<<(std::ostream& out, refusal const& what) {
  return out << what.offset << ": " << what.reason;
}

/// How the loader refuses a test batch with these bytes.
refusal refused(std::vector<std::byte> const& bytes) {
  mae_test::temporary_folder const folder;
  auto const path = folder.path() / "test_batch.bin";
  write(path, bytes);
  try {
    (void)mae::load_cifar10(folder.path(), split::test);
  } catch (mae::format_error const& error) {
    CHECK(error.file() == path.string());
    std::string const start = path.string() + ": at byte " + std::to_string(error.offset()) + ": ";
    std::string const sentence = error.what();
    REQUIRE(sentence.starts_with(start));
    return {error.offset(), sentence.substr(start.size())};
  }
  return {0, "accepted"};
}

/// The errno with which the loader refuses a folder, at the named file.
int system_refusal(fs::path const& folder, split part, fs::path const& file) {
  try {
    (void)mae::load_cifar10(folder, part);
  } catch (mae::io_error const& error) {
    CHECK(error.file() == file.string());
    return error.error_number();
  }
  return 0;
}

}  // namespace

TEST_CASE("records are read in order, planes as channels") {
  mae_test::temporary_folder const folder;
  write(folder.path() / "test_batch.bin", some_records(batch));
  auto const dataset = mae::load_cifar10(folder.path(), split::test);
  REQUIRE(dataset.size() == 10'000);
  CHECK(dataset.num_classes() == 10);
  CHECK(dataset.label(9'999) == 9);
  CHECK(dataset.label(42) == 2);
  std::array<float, 3072> pixels{};
  dataset.read(42, pixels);
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < 1024; ++i) {
      auto const stored = static_cast<float>((42 + 1 + c * 1024 + i) % 251);
      REQUIRE(pixels[i * 3 + c] == doctest::Approx(stored / 255.0F).epsilon(1e-7));
    }
}

TEST_CASE("the batches are found in the folder or in the archive's folder inside it") {
  mae_test::temporary_folder const folder;
  auto const inner = folder.path() / "cifar-10-batches-bin";
  fs::create_directory(inner);
  auto bytes = some_records(batch);
  for (int i = 1; i <= 5; ++i) {
    bytes[0] = static_cast<std::byte>(i);
    write(inner / ("data_batch_" + std::to_string(i) + ".bin"), bytes);
  }
  for (auto const& path : {folder.path(), inner}) {
    auto const train = mae::load_cifar10(path, split::train);
    REQUIRE(train.size() == 50'000);
    for (mae::index_t i = 0; i < 5; ++i) CHECK(train.label(10'000 * i) == i + 1);
  }
  fs::remove(inner / "data_batch_3.bin");
  CHECK(system_refusal(folder.path(), split::train, inner / "data_batch_3.bin") == ENOENT);
}

TEST_CASE("files of a wrong size are refused with file, record and offset") {
  CHECK(refused({}) == refusal{0, "record 0 is missing: the file is empty"});
  CHECK(refused(some_records(1)) == refusal{1, "record 0 is cut: it has 1 of 3073 bytes"});
  CHECK(refused(some_records(3072)) == refusal{3072, "record 0 is cut: it has 3072 of 3073 bytes"});
  CHECK(refused(some_records(record)) ==
        refusal{3073, "record 1 is missing: a batch has 10000 records"});
  CHECK(refused(some_records(7 * record - 1)) ==
        refusal{21'510, "record 6 is cut: it has 3072 of 3073 bytes"});
  CHECK(refused(some_records(7 * record + 1)) ==
        refusal{21'512, "record 7 is cut: it has 1 of 3073 bytes"});
  CHECK(refused(some_records(batch - 1)) ==
        refusal{batch - 1, "record 9999 is cut: it has 3072 of 3073 bytes"});
  CHECK(refused(some_records(batch + 1)) ==
        refusal{batch + 1, "record 10000 is cut: it has 1 of 3073 bytes"});
  CHECK(refused(some_records(batch - record)) ==
        refusal{batch - record, "record 9999 is missing: a batch has 10000 records"});
  CHECK(refused(some_records(batch + record)) ==
        refusal{batch, "record 10000 is one too many: a batch has 10000 records, the file 10001"});
}

TEST_CASE("labels beyond 9 are refused with record and offset") {
  for (int const label : {10, 255}) {
    auto bytes = some_records(batch);
    bytes[17 * record] = static_cast<std::byte>(label);
    CHECK(refused(bytes) ==
          refusal{17 * record,
                  "record 17 has the label " + std::to_string(label) + ": labels are 0 to 9"});
  }
}

TEST_CASE("other files that are often found instead are recognised") {
  for (std::size_t const records : {std::size_t{10'000}, std::size_t{50'000}})
    CHECK(refused(std::vector<std::byte>(records * (record + 1))) ==
          refusal{0, "record 0: this looks like CIFAR-100, whose records have 2 labels"});
  auto bytes = some_records(batch);
  bytes[0] = std::byte{0x1F};
  bytes[1] = std::byte{0x8B};
  CHECK(refused(bytes) == refusal{0, "record 0: this looks like the .tar.gz: unpack it"});

  mae_test::temporary_folder const folder;
  auto const archive = folder.path() / "cifar-10-binary.tar.gz";
  write(archive, bytes);
  CHECK_THROWS_WITH_AS(
      (void)mae::load_cifar10(archive, split::test),
      (archive.string() + ": at byte 0: a folder is expected here: unpack the .tar.gz").c_str(),
      mae::format_error);
}

TEST_CASE("what is no readable file is refused, and a pipe is not waited for") {
  mae_test::temporary_folder const folder;
  auto const path = folder.path() / "test_batch.bin";
  CHECK(system_refusal(folder.path() / "none", split::test, folder.path() / "none") == ENOENT);
  CHECK(system_refusal(folder.path(), split::test, path) == ENOENT);
  fs::create_directory(path);
  CHECK(system_refusal(folder.path(), split::test, path) == EISDIR);
  CHECK(system_refusal(folder.path(), split::train, folder.path() / "data_batch_1.bin") == ENOENT);
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(system_refusal(folder.path(), split::test, path) == EINVAL);
  CHECK(system_refusal(path, split::test, path) == ENOTDIR);
  fs::remove(path);
  write(path, some_records(batch));
  fs::permissions(path, fs::perms::none);
  if (::geteuid() != 0)  // root may read everything
    CHECK(system_refusal(folder.path(), split::test, path) == EACCES);
}

TEST_CASE("a folder whose name has a NUL is refused, not the one before it") {
  mae_test::temporary_folder const folder;
  write(folder.path() / "test_batch.bin", some_records(batch));
  std::string const path = folder.path().string();
  REQUIRE(mae::load_cifar10(path, split::test).size() == 10'000);
  try {
    mae::load_cifar10(path + std::string("\0/", 2), split::test);
    FAIL("read");
  } catch (mae::io_error const& problem) {
    CHECK(problem.error_number() == EINVAL);
  }
}

TEST_CASE("a refused batch leaves the records before it as they were") {
  mae::cifar10_records records;
  mae::append_cifar10_batch(some_records(2 * record), "two", records, 2);
  auto bytes = some_records(2 * record);
  bytes[record] = std::byte{99};
  CHECK_THROWS_AS(mae::append_cifar10_batch(bytes, "bad", records, 2), mae::format_error);
  CHECK(records.labels == std::vector<std::int32_t>{0, 1});
  CHECK(records.pixels.size() == 2 * (record - 1));
}

TEST_CASE("the real CIFAR-10 has a thousand or five thousand images of each class") {
  auto const folder = mae_test::cifar10_folder("the real CIFAR-10");
  if (!folder) return;
  for (auto const part : {split::train, split::test}) {
    auto const dataset = mae::load_cifar10(*folder, part);
    std::array<int, 10> counts{};
    for (mae::index_t i = 0; i < dataset.size(); ++i)
      ++counts[static_cast<std::size_t>(dataset.label(i))];
    for (int const count : counts) CHECK(count == (part == split::train ? 5'000 : 1'000));
  }
}
