// glibc's fortified headers would define the calls below inline.
#undef _FORTIFY_SOURCE

#include "system_calls.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Defines open, read, write, fsync, rename and close for the whole program: the library calls
// these, with no seam of its own, and they pass the calls on to the kernel.

namespace {

struct state {
  system_call doomed = system_call::open;
  int countdown = 0;  // the call at which it comes to 0 is the doomed one
  int error_number = 0;
  bool shortens = false;
  bool struck = false;
  std::optional<std::size_t> disk_left;
  std::vector<std::string> log;
  std::map<int, std::string> names;  // of open files
};

thread_local state* active = nullptr;

enum class verdict { pass, fail, shorten };

verdict judge(system_call call) {
  if (call != active->doomed || active->countdown == 0 || --active->countdown != 0)
    return verdict::pass;
  active->struck = true;
  if (active->shortens) return verdict::shorten;
  errno = active->error_number;
  return verdict::fail;
}

/// The last part of a path; a temporary's process number becomes #.
std::string short_name(std::string_view path) {
  std::string name(path.substr(path.rfind('/') + 1));
  for (char const* const ending : {".partial", ".replaced"}) {
    if (!name.ends_with(ending)) continue;
    auto const begin = name.rfind('.', name.rfind('-'));
    name = name.substr(0, begin + 1) + '#' + ending;
  }
  return name;
}

void record(char const* call, std::string const& what) {
  active->log.push_back(std::string(call) + ' ' + what);
}

long call_open(char const* path, int flags, mode_t mode) {
  return ::syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

}  // namespace

extern "C" int open(char const* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    std::va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  if (active == nullptr) return static_cast<int>(call_open(path, flags, mode));
  record("open", short_name(path));
  if (judge(system_call::open) == verdict::fail) return -1;
  int const number = static_cast<int>(call_open(path, flags, mode));
  if (number >= 0) active->names[number] = short_name(path);
  return number;
}

extern "C" ssize_t read(int file, void* bytes, size_t count) {
  if (active != nullptr && active->names.contains(file)) {
    record("read", active->names[file]);
    verdict const ruling = judge(system_call::read);
    if (ruling == verdict::fail) return -1;
    if (ruling == verdict::shorten) count = std::min<size_t>(count, 1);
  }
  return ::syscall(SYS_read, file, bytes, count);
}

extern "C" ssize_t write(int file, void const* bytes, size_t count) {
  if (active != nullptr && active->names.contains(file)) {
    record("write", active->names[file]);
    verdict const ruling = judge(system_call::write);
    if (ruling == verdict::fail) return -1;
    if (ruling == verdict::shorten) count = std::min<size_t>(count, 1);
    if (active->disk_left) {
      if (count > *active->disk_left) active->struck = true;
      count = std::min(count, *active->disk_left);
      *active->disk_left -= count;
      if (count == 0) {
        errno = ENOSPC;
        return -1;
      }
    }
  }
  return ::syscall(SYS_write, file, bytes, count);
}

extern "C" int fsync(int file) {
  if (active != nullptr) {
    record("fsync", active->names[file]);
    if (judge(system_call::fsync) == verdict::fail) return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, file));
}

extern "C" int rename(char const* from, char const* to) noexcept {
  if (active != nullptr) {
    record("rename", short_name(from) + ' ' + short_name(to));
    if (judge(system_call::rename) == verdict::fail) return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0U));
}

extern "C" int close(int file) {
  if (active == nullptr || !active->names.contains(file))
    return static_cast<int>(::syscall(SYS_close, file));
  record("close", active->names[file]);
  active->names.erase(file);
  ::syscall(SYS_close, file);  // a close that fails closes all the same, in Linux
  return judge(system_call::close) == verdict::fail ? -1 : 0;
}

system_calls::system_calls() {
  active = new state;
}

system_calls::~system_calls() {
  CHECK_MESSAGE(active->names.empty(), "a file was left open");
  delete active;
  active = nullptr;
}

void system_calls::fail(system_call call, int nth, int error_number) {
  active->doomed = call;
  active->countdown = nth;
  active->error_number = error_number;
}
void system_calls::shorten(system_call call, int nth) {
  fail(call, nth, 0);
  active->shortens = true;
}
void system_calls::fill_disk_after(std::size_t bytes) {
  active->disk_left = bytes;
}
bool system_calls::struck() const {
  return active->struck;
}
std::vector<std::string> const& system_calls::log() const {
  return active->log;
}
