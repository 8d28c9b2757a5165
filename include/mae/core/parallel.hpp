#pragma once

#include <mae/core/available_cores.hpp>
#include <mae/core/error.hpp>
#include <mae/core/process_mark.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace mae {

/// A fixed set of threads that share out the indices of a loop. The calling thread works too. A
/// loop allocates nothing. Which worker takes which index changes from run to run: results must not
/// depend on it.
///
/// A child by fork(), called outside of loops, has none of the threads: there the calling thread
/// does all the work, with the same result, and the threads are left behind.
class thread_pool {
 public:
  /// `threads` >= 1 in all, the calling one included; 0 takes one for every core that the process
  /// may use. Throws config_error when negative, std::system_error when the system has no more
  /// threads.
  explicit thread_pool(int threads = 0) : size_(resolve(threads)) {
    try {
      for (int worker = 1; worker < size_; ++worker)
        helpers_->emplace_back([this, worker] { help(worker); });
    } catch (...) {
      stop();
      throw;
    }
  }
  thread_pool(thread_pool const&) = delete;
  thread_pool& operator=(thread_pool const&) = delete;
  ~thread_pool() {
    if (home_.is_here())
      stop();
    else  // no thread is there to be joined, and none may be destroyed unjoined: they are left
      static_cast<void>(helpers_.release());
  }

  int size() const noexcept { return size_; }

  /// Calls body(index, worker) once for every index in [0, count), worker in [0, size()), and
  /// returns when all are done. The first exception stops the handing out of indices and is thrown
  /// here. Loops from several threads take turns; a loop inside a loop of one pool is a deadlock.
  template <class Body>
  void for_each(index_t count, Body&& body) {
    if (count <= 0) return;
    if (!home_.is_here()) {
      std::lock_guard const turn(detail::this_process().turn);
      for (index_t i = 0; i < count; ++i) body(i, 0);
      return;
    }
    if (size_ == 1 || count == 1) {
      std::lock_guard const turn(turn_);
      for (index_t i = 0; i < count; ++i) body(i, 0);
      return;
    }
    using body_type = std::remove_reference_t<Body>;
    run(count,
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): the call below restores it.
        const_cast<void*>(static_cast<void const*>(std::addressof(body))),
        [](void* erased, index_t index, int worker) {
          (*static_cast<body_type*>(erased))(index, worker);
        });
  }

  /// Cuts [0, count) into pieces of `grain` and calls body(first, last, worker) for each. The
  /// pieces depend on `count` and `grain` alone.
  template <class Body>
  void for_ranges(index_t count, index_t grain, Body&& body) {
    for_each(ceil_div(count, grain), [&](index_t piece, int worker) {
      index_t const first = piece * grain;
      body(first, std::min(first + grain, count), worker);
    });
  }

 private:
  using call = void (*)(void*, index_t, int);

  static int resolve(int threads) {
    if (threads < 0) throw config_error("the number of threads must not be negative");
    if (threads > 0) return threads;
    return available_cores();
  }

  void run(index_t count, void* body, call invoke) {
    std::lock_guard const turn(turn_);
    body_ = body;
    invoke_ = invoke;
    count_ = count;
    next_ = 0;
    busy_ = size_;  // every helper joins in every loop, so that none still reads the last one's
    wake();
    take_indices(0);
    for (int busy = busy_; busy != 0; busy = busy_) wait_for_change(busy_, busy);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void take_indices(int worker) {
    for (index_t index = next_++; index < count_; index = next_++) {
      try {
        invoke_(body_, index, worker);
      } catch (...) {
        std::lock_guard const lock(failing_);
        if (!failure_) failure_ = std::current_exception();
        next_ = count_;
      }
    }
    if (--busy_ == 0) busy_.notify_one();
  }

  void help(int worker) {
    for (unsigned seen = 0;; ++seen) {
      wait_for_change(generation_, seen);
      if (stopping_) return;
      take_indices(worker);
    }
  }

  /// Looks again a few times before it sleeps: where a loop soon follows a loop, waking up would
  /// take longer than the loop.
  template <class T>
  static void wait_for_change(std::atomic<T> const& value, T seen) {
    constexpr int looks = 200;
    for (int i = 0; i < looks && value == seen; ++i) std::this_thread::yield();
    value.wait(seen);
  }

  void wake() noexcept {
    ++generation_;
    generation_.notify_all();
  }

  void stop() noexcept {
    stopping_ = true;
    wake();
    for (auto& helper : *helpers_) helper.join();
  }

  int size_;
  std::mutex turn_;  // held by the thread whose loop runs
  // Of the loop that runs: written while all helpers wait.
  void* body_ = nullptr;
  call invoke_ = nullptr;
  index_t count_ = 0;
  bool stopping_ = false;
  std::atomic<index_t> next_ = 0;
  std::atomic<int> busy_ = 0;             // workers that have not finished it
  std::atomic<unsigned> generation_ = 0;  // the number of loops begun
  std::mutex failing_;
  std::exception_ptr failure_;
  process_mark home_;  // where the helpers are
  std::unique_ptr<std::vector<std::thread>> helpers_ = std::make_unique<std::vector<std::thread>>();
};

}  // namespace mae
