#include <mae/backend/block.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace {

using mae::index_t;

/// Covers no full set of partial results, one, several, and every remainder.
constexpr index_t largest_count = 70;
static_assert(largest_count > 4 * mae::serial_block::width);

}  // namespace

TEST_CASE_TEMPLATE("a block's sum counts every element once, for every count", T, float, double) {
  mae::serial_block const block;
  for (index_t count = 0; count <= largest_count; ++count) {
    // Squares: whole numbers, so that the sum is exact whatever its order, and no two alike.
    T const sum = block.sum<T>(count, [](index_t i) { return static_cast<T>((i + 1) * (i + 1)); });
    index_t const six_times = count * (count + 1) * (2 * count + 1);
    CHECK(6 * sum == static_cast<T>(six_times));
  }
}

TEST_CASE_TEMPLATE("a block finds the largest element wherever it stands", T, float, double) {
  mae::serial_block const block;
  for (index_t count = 1; count <= largest_count; ++count)
    for (index_t place = 0; place < count; ++place) {
      auto const f = [&](index_t i) { return i == place ? T{-1} : static_cast<T>(-2 - i); };
      REQUIRE(block.max<T>(count, f) == T{-1});
    }
}

TEST_CASE("the largest element may be infinite") {
  mae::serial_block const block;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(block.max<float>(40, [](index_t) { return -infinity; }) == -infinity);
  CHECK(block.max<float>(40, [](index_t i) { return i == 37 ? infinity : 0.0F; }) == infinity);
}

TEST_CASE("a sum with a NaN is NaN, wherever it stands") {
  mae::serial_block const block;
  for (index_t place = 0; place < largest_count; ++place) {
    auto const f = [&](index_t i) {
      return i == place ? std::numeric_limits<float>::quiet_NaN() : 1.0F;
    };
    REQUIRE(std::isnan(block.sum<float>(largest_count, f)));
  }
}

TEST_CASE("a block's loop visits every index once") {
  mae::serial_block const block;
  for (index_t count = 0; count <= largest_count; ++count) {
    std::vector<int> visits(static_cast<std::size_t>(count), 0);
    block.for_each(count, [&](index_t i) { ++visits[static_cast<std::size_t>(i)]; });
    block.barrier();
    CHECK(visits == std::vector<int>(static_cast<std::size_t>(count), 1));
  }
}
