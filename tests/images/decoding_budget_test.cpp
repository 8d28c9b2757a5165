#include <mae/images/decoding_budget.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace {

/// Threads that take `bytes` each, some times; returns the most that they held at once.
std::size_t most_held(mae::decoding_budget& budget, std::vector<std::size_t> const& bytes) {
  std::atomic<std::size_t> held = 0;
  std::atomic<std::size_t> most = 0;
  std::vector<std::thread> threads;
  for (std::size_t const size : bytes)
    threads.emplace_back([&, size] {
      constexpr int rounds = 200;
      for (int i = 0; i < rounds; ++i) {
        auto const share = budget.take(size);
        std::size_t const now = held += size;
        for (std::size_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        held -= size;
      }
    });
  for (auto& thread : threads) thread.join();
  return most;
}

}  // namespace

TEST_CASE("pictures that are decoded at once hold no more than the budget") {
  mae::decoding_budget budget(100);
  CHECK(most_held(budget, {30, 40, 50, 60, 70}) <= 100);
}

TEST_CASE("a picture larger than the budget runs alone") {
  mae::decoding_budget budget(100);
  CHECK(most_held(budget, {500, 500, 500}) == 500);
  CHECK(most_held(budget, {500, 1, 2}) <= 500);
}

TEST_CASE("the budget is whole again when all are done") {
  mae::decoding_budget budget(10);
  { auto const first = budget.take(10); }
  { auto const second = budget.take(1000); }
  auto const third = budget.take(4);
  auto const fourth = budget.take(6);
}
