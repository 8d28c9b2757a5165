#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace serve {

/// Lets threads that compute by the same pool take turns, in the order in which they ask: none
/// waits for more than one turn of each other.
class turns {
 public:
  /// Runs work() when it is this thread's turn, and returns what it returns.
  template <class Work>
  auto take(Work const& work) {
    turn const mine(*this);
    return work();
  }

 private:
  class turn {
   public:
    explicit turn(turns& all) : all_(all) {
      std::unique_lock lock(all_.mutex_);
      std::uint64_t const number = all_.asked_++;
      all_.changed_.wait(lock, [&] { return all_.ended_ == number; });
    }
    turn(turn const&) = delete;
    turn& operator=(turn const&) = delete;
    ~turn() {
      std::lock_guard const lock(all_.mutex_);
      ++all_.ended_;
      all_.changed_.notify_all();
    }

   private:
    turns& all_;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t asked_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace serve
