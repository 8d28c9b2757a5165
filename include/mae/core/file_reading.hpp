#pragma once

#include <mae/core/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// Owns an open file of the system (POSIX) and closes it.
class file_descriptor {
 public:
  explicit file_descriptor(int number) noexcept : number_(number) {}
  file_descriptor(file_descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  file_descriptor(file_descriptor const&) = delete;
  file_descriptor& operator=(file_descriptor const&) = delete;
  file_descriptor& operator=(file_descriptor&&) = delete;
  ~file_descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int number() const noexcept { return number_; }

 private:
  int number_;
};

/// A regular file, open for reading, and its size in bytes when it was opened.
struct readable_file {
  file_descriptor descriptor;
  std::uint64_t size = 0;
};

/// Whether the system could be told a path as it is: it would take a NUL for the end, and do what
/// is asked to another file.
inline bool is_whole_path(std::string const& path) {
  return path.find('\0') == std::string::npos;
}

/// Opens a regular file for reading. Never blocks: a pipe without a writer is refused as a folder
/// is. Throws io_error.
inline readable_file open_for_reading(std::string const& path) {
  if (!is_whole_path(path)) throw io_error(path, "open (its name has a NUL)", EINVAL);
  int number = -1;
  do {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
    number = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  } while (number < 0 && errno == EINTR);
  if (number < 0) throw io_error(path, "open", errno);
  file_descriptor descriptor(number);

  struct stat status {};
  if (::fstat(number, &status) != 0) throw io_error(path, "stat", errno);
  if (S_ISDIR(status.st_mode)) throw io_error(path, "open as a file", EISDIR);
  if (!S_ISREG(status.st_mode))
    throw io_error(path, "open (it is a pipe, a socket or a device, not a file)", EINVAL);
  return {std::move(descriptor), static_cast<std::uint64_t>(status.st_size)};
}

/// All bytes of a regular file. Throws io_error where the system refuses, format_error when the
/// file is larger than `max_bytes`, before memory is taken.
inline std::vector<std::byte> read_file(std::string const& path, std::uint64_t max_bytes) {
  readable_file const file = open_for_reading(path);
  if (file.size > max_bytes)
    throw format_error(path,
                       max_bytes,
                       "the file has " + std::to_string(file.size) + " bytes, at most " +
                           std::to_string(max_bytes) + " were expected");
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    ::ssize_t const count =
        ::read(file.descriptor.number(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw io_error(path, "read", errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);  // shorter where another process cut the file meanwhile
  return bytes;
}

}  // namespace mae
