#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// The two parts of a published dataset.
enum class split : std::uint8_t { train, test };

/// The binary layout of CIFAR-10 (Krizhevsky 2009): records of one label, then 32x32 values each of
/// red, green and blue.
struct cifar10_layout {
  static constexpr image_format format{
      .extent = {.height = 32, .width = 32, .channels = 3},
      .order = pixel_order::planar,
  };
  static constexpr index_t classes = 10;
  static constexpr std::uint64_t record_bytes = 1 + 32 * 32 * 3;
  static constexpr std::uint64_t batch_records = 10'000;
  /// A CIFAR-100 record has two labels; its training file is the largest that is mistaken for ours.
  static constexpr std::uint64_t cifar100_record_bytes = record_bytes + 1;
  static constexpr std::uint64_t most_bytes = 50'000 * cifar100_record_bytes;
};

/// The names of CIFAR-10's classes, as its batches.meta.txt has them.
inline constexpr std::array<std::string_view, cifar10_layout::classes> cifar10_class_names{
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

/// Records taken apart.
struct cifar10_records {
  std::vector<std::uint8_t> pixels;  // (n, 3, 32, 32)
  std::vector<std::int32_t> labels;  // (n), in [0, 10)
};

namespace detail {

/// Throws format_error unless `bytes` has the size of `records` records; says what it seems to be.
inline void check_cifar10_size(std::span<std::byte const> bytes,
                               std::string const& file,
                               std::uint64_t records) {
  constexpr std::uint64_t record_bytes = cifar10_layout::record_bytes;
  std::uint64_t const size = bytes.size();
  if (size == 0) throw format_error(file, 0, "record 0 is missing: the file is empty");
  if (size >= 2 && bytes[0] == std::byte{0x1F} && bytes[1] == std::byte{0x8B})
    throw format_error(file, 0, "record 0: this looks like the .tar.gz: unpack it");
  std::uint64_t const whole = size / record_bytes;
  std::uint64_t const rest = size % record_bytes;
  constexpr std::uint64_t cifar100_test_bytes =
      cifar10_layout::batch_records * cifar10_layout::cifar100_record_bytes;
  if (size % cifar100_test_bytes == 0)
    throw format_error(file, 0, "record 0: this looks like CIFAR-100, whose records have 2 labels");
  if (rest != 0)
    throw format_error(file,
                       size,
                       "record " + std::to_string(whole) + " is cut: it has " +
                           std::to_string(rest) + " of " + std::to_string(record_bytes) + " bytes");
  if (whole < records)
    throw format_error(file,
                       size,
                       "record " + std::to_string(whole) + " is missing: a batch has " +
                           std::to_string(records) + " records");
  if (whole > records)
    throw format_error(file,
                       records * record_bytes,
                       "record " + std::to_string(records) + " is one too many: a batch has " +
                           std::to_string(records) + " records, the file " + std::to_string(whole));
}

/// The path of what is named `name` in `folder`.
inline std::string path_inside(std::string const& folder, std::string const& name) {
  return folder + (folder.ends_with('/') ? "" : "/") + name;
}

/// The folder with the batches: `folder`, or the one that the official archive makes inside it.
/// Throws io_error where `folder` is none, format_error where it is the archive itself.
inline std::string find_cifar10_folder(std::string const& folder) {
  struct stat status {};
  if (!is_whole_path(folder)) throw io_error(folder, "open (its name has a NUL)", EINVAL);
  if (::stat(folder.c_str(), &status) != 0) throw io_error(folder, "open as a folder", errno);
  if (S_ISREG(status.st_mode) && folder.ends_with(".gz"))
    throw format_error(folder, 0, "a folder is expected here: unpack the .tar.gz");
  if (!S_ISDIR(status.st_mode)) throw io_error(folder, "open as a folder", ENOTDIR);
  std::string const inner = path_inside(folder, "cifar-10-batches-bin");
  bool const is_inside = ::stat(inner.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  return is_inside ? inner : folder;
}

}  // namespace detail

/// Appends the records of one batch, given as the bytes of `file`. Throws format_error, with the
/// record and the byte, unless they are exactly `records` whole records with labels 0 to 9;
/// `result` is unchanged then.
inline void append_cifar10_batch(std::span<std::byte const> bytes,
                                 std::string const& file,
                                 cifar10_records& result,
                                 std::uint64_t records = cifar10_layout::batch_records) {
  constexpr std::size_t record_bytes = cifar10_layout::record_bytes;
  detail::check_cifar10_size(bytes, file, records);
  for (std::size_t at = 0; at < bytes.size(); at += record_bytes) {
    auto const label = std::to_integer<index_t>(bytes[at]);
    if (label >= cifar10_layout::classes)
      throw format_error(file,
                         at,
                         "record " + std::to_string(at / record_bytes) + " has the label " +
                             std::to_string(label) + ": labels are 0 to 9");
  }
  std::size_t written = result.pixels.size();
  result.pixels.resize(written + records * (record_bytes - 1));
  for (; !bytes.empty(); bytes = bytes.subspan(record_bytes)) {
    result.labels.push_back(std::to_integer<std::int32_t>(bytes[0]));
    for (std::byte const value : bytes.subspan(1, record_bytes - 1))
      result.pixels[written++] = std::to_integer<std::uint8_t>(value);
  }
}

/// CIFAR-10 from the official binary files (cifar-10-binary.tar.gz, unpacked): 50,000 images to
/// train with or 10,000 to test with. `folder` holds data_batch_1.bin and the others, or the folder
/// cifar-10-batches-bin that does. Throws io_error for a file that is missing, unreadable or no
/// file; format_error, with file, record and byte, for one that is not a batch of CIFAR-10.
inline memory_dataset<std::uint8_t> load_cifar10(std::string const& folder, split part) {
  std::string const batches = detail::find_cifar10_folder(folder);
  bool const is_train = part == split::train;
  std::size_t const count = is_train ? 5 : 1;
  auto const images = count * cifar10_layout::batch_records;
  cifar10_records all;
  all.labels.reserve(images);
  all.pixels.reserve(images * static_cast<std::size_t>(cifar10_layout::format.extent.values()));
  for (std::size_t i = 1; i <= count; ++i) {
    auto const path = detail::path_inside(
        batches, is_train ? "data_batch_" + std::to_string(i) + ".bin" : "test_batch.bin");
    append_cifar10_batch(read_file(path, cifar10_layout::most_bytes), path, all);
  }
  return {std::move(all.pixels),
          cifar10_layout::format,
          {.classes = std::move(all.labels), .num_classes = cifar10_layout::classes}};
}

}  // namespace mae
