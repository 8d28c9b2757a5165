#pragma once

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

namespace mae_test {

using mae::index_t;

/// The threads of a GPU's block on the host, one running at a time: which one is drawn anew at
/// every barrier. What reads before a barrier what another thread wrote since the last one sees it
/// or not by the draw, so that a barrier that a functor lacks shows in its results.
class emulated_threads {
 public:
  static constexpr int team_size = 4;
  static constexpr int teams = 2;
  static constexpr int size = team_size * teams;

  enum class scope { team, block };

  explicit emulated_threads(std::uint64_t seed) : random_(seed) {}

  /// body(thread) by every thread of the first `count`. Throws std::logic_error when a barrier is
  /// not reached by all that it is for.
  void run(int count, std::function<void(int)> const& body) {
    count_ = count;
    states_.assign(static_cast<std::size_t>(count), state::ready);
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i)
      threads.emplace_back([this, i, &body] {
        turns_[i].acquire();
        try {
          body(i);
        } catch (abandoned const&) {
          return;
        }
        states_[static_cast<std::size_t>(i)] = state::done;
        scheduler_.release();
      });
    is_stuck_ = !schedule();
    if (is_stuck_)
      for (auto& turn : turns_) turn.release();
    for (auto& thread : threads) thread.join();
    if (is_stuck_) throw std::logic_error("a barrier is not reached by all threads");
  }

  void wait(int thread, scope of) {
    states_[static_cast<std::size_t>(thread)] =
        of == scope::team ? state::at_team_barrier : state::at_block_barrier;
    scheduler_.release();
    turns_[thread].acquire();
    if (is_stuck_) throw abandoned{};
  }

  /// Every thread's value, combined by all of its team in the same order.
  template <class T, class Combine>
  T combine(int thread, T value, Combine const& with) {
    values_[thread] = static_cast<double>(value);
    wait(thread, scope::team);
    int const first = thread / team_size * team_size;
    T result = static_cast<T>(values_[first]);
    for (int i = 1; i < team_size; ++i) result = with(result, static_cast<T>(values_[first + i]));
    wait(thread, scope::team);
    return result;
  }

 private:
  /// Ends a thread that waits at a barrier which the others do not reach.
  struct abandoned {};

  enum class state { ready, at_team_barrier, at_block_barrier, done };

  /// Lets threads run until all are done; false when none of the others can go on.
  bool schedule() {
    for (;;) {
      std::vector<int> ready;
      for (int i = 0; i < count_; ++i)
        if (states_[static_cast<std::size_t>(i)] == state::ready) ready.push_back(i);
      if (ready.empty()) {
        if (std::ranges::count(states_, state::done) == count_) return true;
        if (!open_barriers()) return false;
        continue;
      }
      int const next = ready[random_() % ready.size()];
      turns_[next].release();
      scheduler_.acquire();
    }
  }

  bool open_barriers() {
    bool const all = std::ranges::count(states_, state::at_block_barrier) == count_;
    bool opened = all;
    if (all) std::ranges::fill(states_, state::ready);
    for (int first = 0; first < count_; first += team_size) {
      auto const begin = states_.begin() + first;
      if (std::count(begin, begin + team_size, state::at_team_barrier) != team_size) continue;
      std::fill(begin, begin + team_size, state::ready);
      opened = true;
    }
    return opened;
  }

  std::mt19937_64 random_;
  int count_ = 0;
  bool is_stuck_ = false;
  std::vector<state> states_;
  std::counting_semaphore<> scheduler_{0};
  std::counting_semaphore<> turns_[size] = {  // NOLINT(*-avoid-c-arrays): they cannot be moved
      std::counting_semaphore<>(0),
      std::counting_semaphore<>(0),
      std::counting_semaphore<>(0),
      std::counting_semaphore<>(0),
      std::counting_semaphore<>(0),
      std::counting_semaphore<>(0),
      std::counting_semaphore<>(0),
      std::counting_semaphore<>(0)};
  double values_[size] = {};  // NOLINT(*-avoid-c-arrays)
};

/// A team of these threads, as a GPU's warp.
struct emulated_team {
  static constexpr bool is_core = false;

  emulated_threads* threads;
  int thread;
  bool has_barriers;

  template <class F>
  void for_each(index_t count, F const& f) const {
    for (index_t i = lane(); i < count; i += emulated_threads::team_size) f(i);
  }
  template <class F>
  void for_rows(index_t count, F const& f) const {
    for (index_t row = 0; row < count; ++row) f(*this, row);
  }
  template <class F>
  void single(F const& f) const {
    if (lane() == 0) f();
  }
  template <class T, class F>
  T sum(index_t count, F const& f) const {
    T total{0};
    for_each(count, [&](index_t i) { total += f(i); });
    return threads->combine(thread, total, [](T a, T b) { return a + b; });
  }
  template <class T, class F>
  T max(index_t count, F const& f) const {
    T top = f(0);
    for_each(count, [&](index_t i) { top = std::max(top, f(i)); });
    return threads->combine(thread, top, [](T a, T b) { return std::max(a, b); });
  }
  void barrier() const {
    if (has_barriers) threads->wait(thread, emulated_threads::scope::team);
  }

 private:
  index_t lane() const { return thread % emulated_threads::team_size; }
};

/// All of them, as a GPU's thread block.
struct emulated_block {
  static constexpr bool is_core = false;

  emulated_threads* threads;
  int thread;
  bool has_barriers;

  template <class F>
  void for_each(index_t count, F const& f) const {
    for (index_t i = thread; i < count; i += emulated_threads::size) f(i);
  }
  template <class F>
  void for_rows(index_t count, F const& f) const {
    index_t const team = thread / emulated_threads::team_size;
    for (index_t row = team; row < count; row += emulated_threads::teams)
      f(emulated_team{threads, thread, has_barriers}, row);
  }
  template <class F>
  void single(F const& f) const {
    if (thread == 0) f();
  }
  void barrier() const {
    if (has_barriers) threads->wait(thread, emulated_threads::scope::block);
  }
};

/// A lane whose functors are run by emulated blocks, and everything else as eigen_lane does it.
template <class T>
class emulated_lane : public mae::eigen_lane<T> {
 public:
  static constexpr bool is_parallel = true;

  /// Without barriers, to see that their absence is found.
  explicit emulated_lane(std::uint64_t seed, bool has_barriers = true)
      : seed_(seed), has_barriers_(has_barriers) {}

  template <class Functor>
  void for_rows(index_t count, Functor const& functor) const {
    for (index_t row = 0; row < count; ++row) {
      emulated_threads threads(seed_ + static_cast<std::uint64_t>(row));
      threads.run(emulated_threads::team_size, [&](int thread) {
        functor(emulated_team{&threads, thread, has_barriers_}, row);
      });
    }
  }
  template <class Functor>
  void for_blocks(index_t count, index_t shared, Functor const& functor) const {
    for (index_t number = 0; number < count; ++number) {
      std::vector<T> memory(static_cast<std::size_t>(shared), std::numeric_limits<T>::quiet_NaN());
      emulated_threads threads(seed_ + static_cast<std::uint64_t>(number));
      threads.run(emulated_threads::size, [&](int thread) {
        functor(emulated_block{&threads, thread, has_barriers_}, number, memory.data());
      });
    }
  }

 private:
  std::uint64_t seed_;
  bool has_barriers_;
};

}  // namespace mae_test
