#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using mae::index_t;

/// How often a loop over [0, count) calls each index, and -1 for a worker that does not exist.
std::vector<int> calls_of(mae::thread_pool& pool, index_t count) {
  std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
  pool.for_each(count, [&](index_t index, int worker) {
    bool const exists = worker >= 0 && worker < pool.size();
    calls[static_cast<std::size_t>(index)] += exists ? 1 : -1;
  });
  return {calls.begin(), calls.end()};
}

}  // namespace

TEST_CASE("a loop calls every index exactly once, for any number of threads") {
  for (int threads = 1; threads <= 8; ++threads) {
    mae::thread_pool pool(threads);
    REQUIRE(pool.size() == threads);
    for (index_t const count : {1, 2, 7, 8, 9, 1000}) {
      CAPTURE(threads);
      CAPTURE(count);
      CHECK(calls_of(pool, count) == std::vector<int>(static_cast<std::size_t>(count), 1));
    }
  }
}

TEST_CASE("a loop of nothing calls nothing") {
  mae::thread_pool pool(3);
  pool.for_each(0, [](index_t, int) { FAIL("called"); });
  pool.for_each(-5, [](index_t, int) { FAIL("called"); });
  pool.for_ranges(0, 4, [](index_t, index_t, int) { FAIL("called"); });
}

TEST_CASE("two workers never share a number at one time") {
  mae::thread_pool pool(4);
  std::vector<std::atomic<bool>> busy(4);
  std::atomic<int> collisions = 0;
  pool.for_each(2000, [&](index_t, int worker) {
    auto& mine = busy[static_cast<std::size_t>(worker)];
    if (mine.exchange(true)) ++collisions;
    std::this_thread::yield();
    mine = false;
  });
  CHECK(collisions == 0);
}

TEST_CASE("a loop really uses other threads") {
  mae::thread_pool pool(2);
  std::atomic<int> arrived = 0;
  // Each index waits for the other: with one thread alone this would never end.
  pool.for_each(2, [&](index_t, int) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  CHECK(arrived == 2);
}

TEST_CASE("ranges are cut by count and grain alone") {
  for (int const threads : {1, 3}) {
    mae::thread_pool pool(threads);
    std::vector<index_t> last_of(10, 0);
    pool.for_ranges(10, 4, [&](index_t first, index_t last, int) {
      last_of[static_cast<std::size_t>(first)] = last;
    });
    CHECK(last_of == std::vector<index_t>{4, 0, 0, 0, 8, 0, 0, 0, 10, 0});
  }
}

TEST_CASE("an exception of the body reaches the caller, and the pool lives on") {
  for (int threads = 1; threads <= 4; ++threads)
    for (index_t const count : {1, 2, 50}) {
      CAPTURE(threads);
      CAPTURE(count);
      mae::thread_pool pool(threads);
      auto const fail_at_last = [&](index_t index, int) {
        if (index == count - 1) throw std::out_of_range("the last index");
      };
      CHECK_THROWS_WITH_AS(pool.for_each(count, fail_at_last), "the last index", std::out_of_range);
      CHECK(calls_of(pool, 20) == std::vector<int>(20, 1));
    }
}

TEST_CASE("the first exception stops the handing out of indices") {
  mae::thread_pool pool(2);
  std::atomic<int> calls = 0;
  auto const fail = [&](index_t, int) {
    ++calls;
    throw std::runtime_error("at once");
  };
  CHECK_THROWS_AS(pool.for_each(100000, fail), std::runtime_error);
  CHECK(calls <= pool.size());
}

TEST_CASE("loops from several threads take turns and each is complete") {
  mae::thread_pool pool(3);
  constexpr int users = 4;
  constexpr int loops = 50;
  std::atomic<int> running = 0;
  std::atomic<int> overlaps = 0;
  std::vector<std::vector<int>> sums(users, std::vector<int>(loops, 0));
  std::vector<std::thread> threads;
  threads.reserve(users);
  for (int user = 0; user < users; ++user)
    threads.emplace_back([&, user] {
      for (int& sum : sums[static_cast<std::size_t>(user)]) {
        std::atomic<int> total = 0;
        pool.for_each(user + 1, [&](index_t index, int) {
          int const others = running.exchange(user + 1);
          if (others != 0 && others != user + 1) ++overlaps;
          total += static_cast<int>(index) + 1;
          std::this_thread::yield();
          running = 0;
        });
        sum = total;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(overlaps == 0);
  for (int user = 0; user < users; ++user)
    CHECK(sums[static_cast<std::size_t>(user)] ==
          std::vector<int>(loops, (user + 1) * (user + 2) / 2));
}

TEST_CASE("a body is used where it stands, never copied") {
  struct counting_body {
    std::atomic<int> calls = 0;
    void operator()(index_t /*index*/, int /*worker*/) { ++calls; }
  };
  mae::thread_pool pool(2);
  counting_body body;
  pool.for_each(30, body);
  CHECK(body.calls == 30);
}

TEST_CASE("the number of threads") {
  CHECK_THROWS_AS(mae::thread_pool(-1), mae::config_error);
  CHECK(mae::thread_pool(0).size() >= 1);
}
