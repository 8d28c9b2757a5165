#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// The system calls that this program sees pass, because it defines them itself.
enum class system_call : std::uint8_t { open, read, write, fsync, rename, close };

/// While it lives, records the system calls of this thread, and makes one of them fail.
class system_calls {
 public:
  system_calls();
  system_calls(system_calls const&) = delete;
  system_calls& operator=(system_calls const&) = delete;
  ~system_calls();

  /// The `nth` call (from 1) of that kind fails with `error_number`, once.
  void fail(system_call call, int nth, int error_number);
  /// The `nth` read or write moves one byte alone.
  void shorten(system_call call, int nth);
  /// Once `bytes` bytes have been written the disk is full: a write that would go beyond them
  /// writes what still fits, and then every one fails with ENOSPC.
  void fill_disk_after(std::size_t bytes);

  /// Whether a call has failed or been shortened.
  bool struck() const;
  /// What was called, in order: "open NAME", "write NAME", "rename NAME NAME", names without folder
  /// and the number of a temporary's process replaced by #.
  std::vector<std::string> const& log() const;
};
