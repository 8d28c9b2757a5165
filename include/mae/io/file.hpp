#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
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

namespace detail {

/// The folder that a path's last part stands in.
inline std::string folder_of(std::string const& path) {
  auto const slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, slash == 0 ? 1 : slash);
}

/// Throws io_error for what bytes cannot be put in place of: a folder, a device, a pipe, a socket.
inline void require_file(std::string const& path, struct stat const& status) {
  if (S_ISDIR(status.st_mode)) throw io_error(path, "write as a file", EISDIR);
  if (!S_ISREG(status.st_mode))
    throw io_error(path, "write (it is a pipe, a socket or a device, not a file)", EINVAL);
}

/// Where a file is that is to be replaced: the links at the path's end are followed, also one that
/// leads to no file yet. Throws io_error for what is no file, and for links that lead nowhere.
inline std::string followed(std::string const& path) {
  struct stat status {};
  if (!is_whole_path(path)) throw io_error(path, "create (its name has a NUL)", EINVAL);
  if (::stat(path.c_str(), &status) == 0)
    require_file(path, status);
  else if (errno != ENOENT)
    throw io_error(path, "create", errno);
  std::string target = path;
  constexpr int most_links = 40;  // as many as Linux follows
  for (int links = 0; links < most_links; ++links) {
    std::array<char, 4096> text{};
    auto const length = ::readlink(target.c_str(), text.data(), text.size());
    if (length < 0) return target;  // no link, or nothing
    std::string const next(text.data(), static_cast<std::size_t>(length));
    target = next.starts_with('/') ? next : folder_of(target) + '/' + next;
  }
  throw io_error(path, "create", ELOOP);
}

/// An open file of a name of its own beside `target`, `<target>.<process>-<count>.partial`, which
/// is removed unless it is put elsewhere. `path` is what errors call it.
class temporary_file {
 public:
  temporary_file(std::string path, std::string const& target)
      : path_(std::move(path)), number_(create(target)) {
    if (number_ < 0) throw io_error(path_, "create", errno);
  }
  temporary_file(temporary_file const&) = delete;
  temporary_file& operator=(temporary_file const&) = delete;
  ~temporary_file() {
    if (number_ >= 0) ::close(number_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  std::string const& path() const noexcept { return path_; }
  std::string const& name() const noexcept { return name_; }

  /// Appends all of `bytes`.
  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      auto const count =
          uninterrupted([&] { return ::write(number_, bytes.data(), bytes.size()); });
      if (count < 0) throw io_error(path_, "write", errno);
      if (count == 0) throw io_error(path_, "write", EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  /// Brings what was written to the disk, and closes the file.
  void finish() {
    if (uninterrupted([this] { return ::fsync(number_); }) < 0)
      throw io_error(path_, "fsync", errno);
    // Some file systems report a failed write only here. After EINTR, Linux has closed the file.
    if (::close(std::exchange(number_, -1)) < 0 && errno != EINTR)
      throw io_error(path_, "close", errno);
  }
  /// Says that the file has another name now, and stays.
  void release() noexcept { name_.clear(); }

 private:
  /// Opens a file that did not exist, and sets `name_` to its name; -1 when that fails.
  int create(std::string const& target) {
    static std::atomic<unsigned> count = 0;
    for (;;) {
      name_ =
          target + '.' + std::to_string(::getpid()) + '-' + std::to_string(count++) + ".partial";
      int const number = open_file(name_, O_WRONLY | O_CREAT | O_EXCL, 0644);
      if (number >= 0 || errno != EEXIST) return number;
    }
  }

  std::string path_;
  std::string name_;
  int number_;  // -1 once it is closed
};

/// A folder whose entries are about to change.
class open_folder {
 public:
  explicit open_folder(std::string path)
      : path_(std::move(path)), file_(open_file(path_, O_RDONLY | O_DIRECTORY)) {
    if (file_.number() < 0) throw io_error(path_, "open", errno);
  }
  /// Brings changed names to the disk.
  void sync() const {
    // Some network file systems cannot sync a folder, and say so with EINVAL.
    if (uninterrupted([this] { return ::fsync(file_.number()); }) < 0 && errno != EINVAL)
      throw io_error(path_, "fsync", errno);
  }

 private:
  std::string path_;
  file_descriptor file_;
};

}  // namespace detail

/// Replaces a file as a whole or not at all: the bytes go to a temporary file beside it, and
/// `commit` puts that in its place. Until then, and whatever fails, a file that was there before
/// stays as it was, also after a power loss. Where the path is a link, the file that it leads to is
/// replaced, or made, and the link stays; a folder, a device or a pipe is refused before anything
/// is written. A process killed in between leaves its temporary,
/// `<file>.<process>-<count>.partial`, behind. Every member that fails throws io_error.
class atomic_file {
 public:
  explicit atomic_file(std::string path)
      : target_(detail::followed(path)), temporary_(std::move(path), target_) {}

  /// Appends all of `bytes`.
  void write(std::span<std::byte const> bytes) { temporary_.write(bytes); }

  /// Puts what was written in place of the file; call it once, last. Where only the folder's fsync
  /// fails, the whole new file is in place, but a power loss may bring the old one back.
  void commit() {
    temporary_.finish();
    detail::open_folder const folder(detail::folder_of(target_));
    if (std::rename(temporary_.name().c_str(), target_.c_str()) != 0)
      throw io_error(temporary_.path(), "rename", errno);
    temporary_.release();
    folder.sync();
  }

 private:
  std::string target_;
  detail::temporary_file temporary_;
};

/// Throws io_error where an atomic_file of this path could not be made: to be asked before long
/// work whose result goes there.
inline void require_replaceable(std::string const& path) {
  atomic_file const probe(path);
}

}  // namespace mae
