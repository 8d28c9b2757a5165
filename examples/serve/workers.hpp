#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace serve {

/// Threads that do what is given to them, in its order: pictures are decoded and answers written
/// there, beside the one that computes.
class workers {
 public:
  explicit workers(int threads) {
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  workers(workers const&) = delete;
  workers& operator=(workers const&) = delete;
  /// All that was given is done.
  ~workers() { stop(); }

  /// `work` throws nothing.
  void post(std::function<void()> work) {
    std::lock_guard const lock(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_one();
  }

  void stop() {
    {
      std::lock_guard const lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto const work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace serve
