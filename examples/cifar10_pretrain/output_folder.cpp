#include "output_folder.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>

namespace pretrain {
namespace {

namespace fs = std::filesystem;

/// "process 7 on host since 2026-01-31 12:00:00 UTC", which is to be read by people.
std::string describe_process() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  std::array<char, 64> since{};
  std::time_t const now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::strftime(since.data(), since.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return "process " + std::to_string(::getpid()) + " on " + host.data() + " since " + since.data();
}

/// What the holder wrote into the file.
std::string read_holder(int file) {
  std::array<char, 512> text{};
  auto const count = ::pread(file, text.data(), text.size(), 0);
  std::string_view const read(text.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
  auto const line = read.substr(0, read.find('\n'));
  return line.empty() ? "another process" : mae::printable(line);
}

void write_holder(int file) {
  std::string const text = describe_process() + '\n';
  // A holder without a name holds all the same: where the disk is full, this is no error.
  [[maybe_unused]] bool const is_written =
      ::ftruncate(file, 0) == 0 && ::pwrite(file, text.data(), text.size(), 0) > 0;
}

mae::file_descriptor open_lock(std::string const& path) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
  mae::file_descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644));
  if (file.number() < 0) throw mae::io_error(path, "open", errno);
  return file;
}

/// Whether the open file is still the one of that name: a holder that ends removes its own.
bool is_named(int file, std::string const& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// Locks the file; false where the file system has no locks. Throws as output_lock.
bool lock(int file, fs::path const& path) {
  int result = 0;
  do {
    result = ::flock(file, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno == EWOULDBLOCK)
    throw mae::config_error(path.parent_path().string() + " is being written by " +
                            read_holder(file) + ": wait for its end, or choose another --out");
  return false;
}

/// The name of what mae::atomic_file writes before a file of ours: NAME.<digits>-<digits>.partial
bool is_partial(std::string_view name) {
  constexpr std::string_view ending = ".partial";
  if (!name.ends_with(ending)) return false;
  name.remove_suffix(ending.size());
  auto const take_digits = [&] {
    auto const before = name.size();
    while (!name.empty() && std::isdigit(static_cast<unsigned char>(name.back())) != 0)
      name.remove_suffix(1);
    return name.size() < before;
  };
  auto const take = [&](char letter) {
    if (!name.ends_with(letter)) return false;
    name.remove_suffix(1);
    return true;
  };
  return take_digits() && take('-') && take_digits() && take('.') &&
         std::ranges::find(output::all, name) != output::all.end();
}

void remove_partials(fs::path const& folder) {
  std::error_code ignored;  // what cannot be removed is only in the way of nobody
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    std::error_code kept;
    if (is_partial(entry->path().filename().string())) fs::remove(entry->path(), kept);
  }
}

/// An open file, locked where the file system can.
mae::file_descriptor take(fs::path const& path, std::ostream& notes) {
  for (;;) {
    auto file = open_lock(path.string());
    if (!lock(file.number(), path)) {
      int const error_number = errno;
      notes << "warning: " << path.parent_path().string() << " cannot be locked ("
            << std::generic_category().message(error_number)
            << "): see that no second training writes there\n";
      return file;
    }
    if (!is_named(file.number(), path.string())) continue;
    write_holder(file.number());
    remove_partials(path.parent_path());
    return file;
  }
}

}  // namespace

output_lock::output_lock(fs::path const& folder, std::ostream& notes)
    : path_(folder / ".lock"), file_(take(path_, notes)) {}

output_lock::~output_lock() {
  // While it is still locked: who opened it meanwhile finds that it has lost its name.
  ::unlink(path_.c_str());
}

}  // namespace pretrain
