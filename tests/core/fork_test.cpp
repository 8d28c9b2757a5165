#include "forked_child.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/process_mark.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using mae::index_t;
using mae_test::holds_in_child;

std::vector<index_t> squares_by(mae::thread_pool& pool, index_t count) {
  std::vector<index_t> squares(static_cast<std::size_t>(count));
  pool.for_each(count,
                [&](index_t i, int /*worker*/) { squares[static_cast<std::size_t>(i)] = i * i; });
  return squares;
}

}  // namespace

TEST_CASE("a mark tells the process that made it from its children") {
  mae::process_mark const mark;
  CHECK(mark.is_here());
  CHECK(holds_in_child([&] { return !mark.is_here() && mae::process_mark().is_here(); }));
  CHECK(holds_in_child([&] {
    mae::process_mark const own;
    return holds_in_child([&] { return !mark.is_here() && !own.is_here(); });
  }));
  CHECK(mark.is_here());
}

TEST_CASE("a forked child does a pool's loops itself, with the same result") {
  mae::thread_pool pool(4);
  auto const expected = squares_by(pool, 1000);
  CHECK(holds_in_child([&] {
    bool alone = true;
    pool.for_each(100, [&](index_t /*i*/, int worker) { alone = alone && worker == 0; });
    return alone && pool.size() == 4 && squares_by(pool, 1000) == expected;
  }));
  CHECK(squares_by(pool, 1000) == expected);
}

TEST_CASE("a forked child's child, a pool of the child's own, and an exception there") {
  mae::thread_pool pool(3);
  auto const expected = squares_by(pool, 100);
  CHECK(holds_in_child([&] {
    mae::thread_pool own(2);
    if (squares_by(own, 100) != expected) return false;
    return holds_in_child(
        [&] { return squares_by(own, 100) == expected && squares_by(pool, 100) == expected; });
  }));
  CHECK(holds_in_child([&] {
    try {
      pool.for_each(10, [](index_t i, int) {
        if (i == 3) throw std::runtime_error("three");
      });
    } catch (std::runtime_error const&) {
      return squares_by(pool, 100) == expected;
    }
    return false;
  }));
}

TEST_CASE("a pool made before a fork can be destroyed after it") {
  std::optional<mae::thread_pool> pool(4);
  squares_by(*pool, 100);
  CHECK(holds_in_child([&] {
    pool.reset();
    return true;
  }));
}

TEST_CASE("a child that is forked while another thread's loop runs does not wait for it") {
  mae::thread_pool pool(2);
  auto const expected = squares_by(pool, 100);
  std::atomic<bool> runs = false;
  std::atomic<bool> may_end = false;
  std::thread other([&] {
    pool.for_each(2, [&](index_t, int) {
      runs = true;
      while (!may_end) std::this_thread::yield();
    });
  });
  while (!runs) std::this_thread::yield();
  CHECK(holds_in_child([&] { return squares_by(pool, 100) == expected; }));
  may_end = true;
  other.join();
}

TEST_CASE("a child's threads take turns on a pool that was made before the fork") {
  mae::thread_pool pool(2);
  CHECK(holds_in_child([&] {
    std::atomic<int> inside = 0;
    std::atomic<bool> alone = true;
    auto const loop = [&] {
      pool.for_each(200, [&](index_t, int) {
        if (++inside != 1) alone = false;
        std::this_thread::yield();
        --inside;
      });
    };
    std::thread other(loop);
    loop();
    other.join();
    return alone.load();
  }));
}
