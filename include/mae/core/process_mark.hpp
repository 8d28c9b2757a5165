#pragma once

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <new>
#include <system_error>

namespace mae {

namespace detail {

/// What this process knows of its own forks.
struct fork_watch {
  std::atomic<unsigned> forks = 0;  // on the way from the first process that asked to this one
  /// Held while a loop of a pool runs in a child of the process that made the pool, where the
  /// pool's own lock may be held for ever, by a thread that is not there. One for all such pools,
  /// and recursive, since loops of several pools may lie within each other.
  std::recursive_mutex turn;
};

inline fork_watch& this_process() {
  static fork_watch watch;
  static int const refused = ::pthread_atfork(nullptr, nullptr, [] {
    ++watch.forks;
    // A child begins with one thread: nobody holds it. (CUDA 13.0's cudafe++ ends on an assertion
    // of its own where std::construct_at makes a mutex.)
    ::new (static_cast<void*>(&watch.turn)) std::recursive_mutex;
  });
  if (refused != 0) throw std::system_error(refused, std::generic_category(), "pthread_atfork");
  return watch;
}

}  // namespace detail

/// Remembers the process that it is made in. A child of that process by fork() has all its objects,
/// but none of its threads, and no right to its devices.
class process_mark {
 public:
  /// Throws std::system_error where the system has no memory for it.
  process_mark() : forks_(detail::this_process().forks) {}

  bool is_here() const noexcept { return forks_ == detail::this_process().forks; }

 private:
  unsigned forks_;
};

}  // namespace mae
