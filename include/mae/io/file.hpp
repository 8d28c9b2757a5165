#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <utility>

// The POSIX calls of checkpoints; core/file_reading.hpp has those that open a file to be read.

namespace mae {

namespace detail {

/// Repeats a system call for as long as a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    auto const result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// Opens a file; -1 when that fails.
inline int open_file(std::string const& path, int flags, mode_t mode = 0) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
  return uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
}

}  // namespace detail

/// A regular file that is read from front to back, in pieces.
class input_file {
 public:
  /// Throws io_error when it cannot be opened, or is a folder, a pipe or a device.
  explicit input_file(std::string path) : path_(std::move(path)), file_(open_for_reading(path_)) {}

  /// Bytes, when the file was opened.
  std::uint64_t size() const noexcept { return file_.size; }

  /// Fills `bytes` with what comes next. Throws io_error, or format_error when the file ends first.
  void read(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
      std::size_t const count = read_some(bytes);
      if (count == 0) throw format_error(path_, position_, "the file ends too early");
      bytes = bytes.subspan(count);
    }
  }
  /// Throws format_error when bytes are left: the file has grown since it was opened.
  void expect_end() {
    std::byte next{};
    if (read_some({&next, 1}) != 0)
      throw format_error(path_, position_ - 1, "the file grew while it was read");
  }

 private:
  std::size_t read_some(std::span<std::byte> bytes) {
    auto const count = detail::uninterrupted(
        [&] { return ::read(file_.descriptor.number(), bytes.data(), bytes.size()); });
    if (count < 0) throw io_error(path_, "read", errno);
    position_ += static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }

  std::string path_;
  readable_file file_;
  std::uint64_t position_ = 0;
};

/// Replaces a file as a whole or not at all: the bytes go to a temporary file beside it, and
/// `commit` puts that in its place. Until then, and whatever fails, a file that was there before
/// stays as it was, also after a power loss. A process killed in between leaves its temporary,
/// `<path>.<process>-<count>.partial`, behind. Every member that fails throws io_error.
class atomic_file {
 public:
  explicit atomic_file(std::string path) : path_(std::move(path)), number_(create()) {
    if (number_ < 0) throw io_error(path_, "create", errno);
  }
  atomic_file(atomic_file const&) = delete;
  atomic_file& operator=(atomic_file const&) = delete;
  ~atomic_file() {
    if (number_ >= 0) ::close(number_);
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Appends all of `bytes`.
  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      auto const count =
          detail::uninterrupted([&] { return ::write(number_, bytes.data(), bytes.size()); });
      if (count < 0) throw io_error(path_, "write", errno);
      if (count == 0) throw io_error(path_, "write", EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  /// Puts what was written in place of the file; call it once, last. Where only the folder's fsync
  /// fails, the whole new file is in place, but a power loss may bring the old one back.
  void commit() {
    assert(!committed_);
    if (detail::uninterrupted([this] { return ::fsync(number_); }) < 0)
      throw io_error(path_, "fsync", errno);
    // Some file systems report a failed write only here. After EINTR, Linux has closed the file.
    if (::close(std::exchange(number_, -1)) < 0 && errno != EINTR)
      throw io_error(path_, "close", errno);
    auto const folder_path = folder();
    file_descriptor const opened_folder(detail::open_file(folder_path, O_RDONLY | O_DIRECTORY));
    if (opened_folder.number() < 0) throw io_error(folder_path, "open", errno);
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) throw io_error(path_, "rename", errno);
    committed_ = true;
    // Some network file systems cannot sync a folder, and say so with EINVAL.
    if (detail::uninterrupted([&] { return ::fsync(opened_folder.number()); }) < 0 &&
        errno != EINVAL)
      throw io_error(folder_path, "fsync", errno);
  }

 private:
  /// Opens a file that did not exist, and sets `temporary_` to its name; -1 when that fails.
  int create() {
    static std::atomic<unsigned> count = 0;
    for (;;) {
      temporary_ =
          path_ + '.' + std::to_string(::getpid()) + '-' + std::to_string(count++) + ".partial";
      int const number = detail::open_file(temporary_, O_WRONLY | O_CREAT | O_EXCL, 0644);
      if (number >= 0 || errno != EEXIST) return number;
    }
  }

  std::string folder() const {
    auto const slash = path_.rfind('/');
    if (slash == std::string::npos) return ".";
    return path_.substr(0, slash == 0 ? 1 : slash);
  }

  std::string path_;
  std::string temporary_;
  int number_;  // of the open temporary; -1 once it is closed
  bool committed_ = false;
};

}  // namespace mae
