#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace mae {

/// A bound on what the pictures that are being decoded hold, over all threads: a picture waits for
/// its turn, in the order of asking, until its bytes fit. One that is larger than all runs alone.
class decoding_budget {
 public:
  /// Gives the bytes back when it goes.
  class share {
   public:
    share(decoding_budget& budget, std::size_t bytes) : budget_(budget), bytes_(bytes) {}
    share(share const&) = delete;
    share& operator=(share const&) = delete;
    ~share() { budget_.give_back(bytes_); }

   private:
    decoding_budget& budget_;
    std::size_t bytes_;
  };

  explicit decoding_budget(std::size_t bytes) : free_(bytes), all_(bytes) {}

  /// Waits for `bytes`, of which a thread takes one share at a time.
  share take(std::size_t bytes) {
    bytes = std::min(bytes, all_);
    std::unique_lock lock(mutex_);
    auto const turn = last_turn_++;
    changed_.wait(lock, [&] { return turn == turn_ && bytes <= free_; });
    free_ -= bytes;
    ++turn_;
    changed_.notify_all();
    return {*this, bytes};
  }

  /// That of the process: half a gigabyte.
  static decoding_budget& of_process() {
    constexpr std::size_t bytes = std::size_t{1} << 29U;
    static decoding_budget budget(bytes);
    return budget;
  }

 private:
  void give_back(std::size_t bytes) {
    std::lock_guard const lock(mutex_);
    free_ += bytes;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t free_;
  std::size_t all_;
  std::uint64_t last_turn_ = 0;
  std::uint64_t turn_ = 0;
};

}  // namespace mae
