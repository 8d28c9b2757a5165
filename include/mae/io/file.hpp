#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <utility>

// The only file with POSIX calls.

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

/// Owns an open file. `path` is what errors name.
class file_descriptor {
 public:
  /// Takes over `number`; a negative one means that `operation` failed and errno says why.
  file_descriptor(int number, std::string path, char const* operation)
      : number_(number), path_(std::move(path)) {
    if (number_ < 0) throw io_error(path_, operation, errno);
  }
  file_descriptor(file_descriptor const&) = delete;
  file_descriptor& operator=(file_descriptor const&) = delete;
  ~file_descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int number() const noexcept { return number_; }
  std::string const& path() const noexcept { return path_; }

  /// Waits until the disk holds what was written.
  void sync() const {
    if (uninterrupted([this] { return ::fsync(number_); }) < 0)
      throw io_error(path_, "fsync", errno);
  }
  /// Some file systems report a failed write only here. After EINTR Linux has closed the file.
  void close() {
    if (::close(std::exchange(number_, -1)) < 0 && errno != EINTR)
      throw io_error(path_, "close", errno);
  }

 private:
  int number_;
  std::string path_;
};

}  // namespace detail

/// A regular file, read from front to back. Nothing else is ever waited for: opening a FIFO or a
/// terminal returns at once, and is refused.
class input_file {
 public:
  /// Throws io_error when the file cannot be opened, format_error when it is not a regular one.
  explicit input_file(std::string const& path)
      : file_(detail::uninterrupted([&] {
                return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
              }),
              path,
              "open") {
    struct stat status = {};
    if (::fstat(file_.number(), &status) < 0) throw io_error(path, "fstat", errno);
    if (!S_ISREG(status.st_mode)) throw format_error(path, 0, "this is not a regular file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  std::string const& path() const noexcept { return file_.path(); }
  /// Bytes, when the file was opened.
  std::uint64_t size() const noexcept { return size_; }

  /// Fills `bytes` with what comes next. Throws io_error, or format_error when the file ends first.
  void read(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
      std::size_t const count = read_some(bytes);
      if (count == 0) throw format_error(path(), position_, "the file ends too early");
      bytes = bytes.subspan(count);
    }
  }
  /// Throws format_error when bytes are left: somebody has lengthened the file since it was opened.
  void expect_end() {
    std::byte next{};
    if (read_some({&next, 1}) != 0)
      throw format_error(path(), position_ - 1, "the file grew while it was read");
  }

 private:
  std::size_t read_some(std::span<std::byte> bytes) {
    auto const count =
        detail::uninterrupted([&] { return ::read(file_.number(), bytes.data(), bytes.size()); });
    if (count < 0) throw io_error(path(), "read", errno);
    position_ += static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }

  detail::file_descriptor file_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
};

/// The whole of a regular file of at most `limit` bytes, in memory of our own (a map would let
/// another process change what was checked). Throws io_error when the system refuses, format_error
/// when it is no regular file, too long, or changes while it is read.
inline host_buffer<std::byte> read_file(
    std::string const& path, std::uint64_t limit = std::numeric_limits<std::uint64_t>::max()) {
  input_file file(path);
  if (file.size() > limit)
    throw format_error(path, limit, "the file is longer than " + std::to_string(limit) + " bytes");
  host_buffer<std::byte> bytes(static_cast<index_t>(file.size()));
  file.read(bytes.span());
  file.expect_end();
  return bytes;
}

/// Replaces a file as a whole or not at all: the bytes go to a temporary file beside it, and
/// `commit` puts that in its place. Until then, and whatever fails, a file that was there before
/// stays as it was, also after a power loss. A process killed in between leaves its temporary,
/// `<path>.<process>-<count>.partial`, behind. Every member that fails throws io_error.
class atomic_file {
 public:
  explicit atomic_file(std::string path)
      : path_(std::move(path)), temporary_(), file_(create(), path_, "create") {}
  atomic_file(atomic_file const&) = delete;
  atomic_file& operator=(atomic_file const&) = delete;
  ~atomic_file() {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Appends all of `bytes`.
  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      auto const count = detail::uninterrupted(
          [&] { return ::write(file_.number(), bytes.data(), bytes.size()); });
      if (count < 0) throw io_error(path_, "write", errno);
      if (count == 0) throw io_error(path_, "write", EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  /// Puts what was written in place of the file; call it once, last. Where only the folder's fsync
  /// fails, the whole new file is in place, but a power loss may bring the old one back.
  void commit() {
    assert(!committed_);
    file_.sync();
    file_.close();
    auto const folder_path = folder();
    detail::file_descriptor const folder(
        detail::uninterrupted(
            [&] { return ::open(folder_path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY); }),
        folder_path,
        "open");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) throw io_error(path_, "rename", errno);
    committed_ = true;
    // Some network file systems cannot sync a folder, and say so with EINVAL.
    if (detail::uninterrupted([&] { return ::fsync(folder.number()); }) < 0 && errno != EINVAL)
      throw io_error(folder_path, "fsync", errno);
  }

 private:
  /// Opens a file that did not exist, and sets `temporary_` to its name; -1 when that fails.
  int create() {
    static std::atomic<unsigned> count = 0;
    for (;;) {
      temporary_ =
          path_ + '.' + std::to_string(::getpid()) + '-' + std::to_string(count++) + ".partial";
      int const number = detail::uninterrupted([this] {
        return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      });
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
  detail::file_descriptor file_;
  bool committed_ = false;
};

}  // namespace mae
