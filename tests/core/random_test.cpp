#include <mae/core/random.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace {

using mae::index_t;
using block = std::array<std::uint32_t, 4>;

/// The Random123 distribution's known answers for philox4x32 with 10 rounds (kat_vectors).
static_assert(mae::philox({0, 0, 0, 0}, {0, 0}) ==
              block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(mae::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                          {0xffffffff, 0xffffffff}) ==
              block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(mae::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                          {0xa4093822, 0x299f31d0}) ==
              block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

mae::random_stream some_stream(std::uint64_t index = 0) {
  return mae::random_stream({.seed = 20, .use = mae::purpose::probe, .epoch = 3, .index = index});
}

constexpr block first_block(mae::stream_key const& key) {
  mae::random_stream stream(key);
  return {stream.word(), stream.word(), stream.word(), stream.word()};
}

/// What a seed means must never change: the layout of key and counter, by its law.
static_assert(first_block({.seed = 0x0123456789abcdef,
                           .use = mae::purpose::mask,
                           .epoch = 7,
                           .index = 0xabcd12345678,
                           .view = 1}) ==
              mae::philox({0, 0xabcd0104, 7, 0x12345678}, {0x89abcdef, 0x01234567}));

/// How far the mean of `count` values of variance 1 may lie from its expectation: five sigma.
double five_sigma(index_t count, double variance = 1.0) {
  return 5.0 * std::sqrt(variance / static_cast<double>(count));
}

/// Pearson's statistic of `counts`, whose expectations are equal.
double chi_squared(std::vector<double> const& counts, double expected) {
  double sum = 0;
  for (double const count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

}  // namespace

TEST_CASE("a stream walks the counter: its words are the blocks one after the other") {
  mae::random_stream stream({.seed = 5, .use = mae::purpose::mask, .epoch = 1, .index = 9});
  for (std::uint32_t i = 0; i < 100; ++i) {
    block const expected = mae::philox({i, 4, 1, 9}, {5, 0});
    for (std::uint32_t const word : expected) REQUIRE(stream.word() == word);
  }
}

TEST_CASE("streams whose keys differ in any field, or in two, share no block") {
  constexpr std::array<std::uint64_t, 4> seeds{0, 1, std::uint64_t{1} << 32, ~std::uint64_t{0}};
  constexpr std::array<std::uint32_t, 3> epochs{0, 1, 0xffffffff};
  constexpr std::array<std::uint64_t, 6> indices{0,
                                                 1,
                                                 std::uint64_t{1} << 16,
                                                 std::uint64_t{1} << 32,
                                                 std::uint64_t{1} << 40,
                                                 (std::uint64_t{1} << 48) - 1};
  constexpr std::array<std::uint8_t, 3> views{0, 1, 255};
  std::set<block> blocks;
  std::size_t keys = 0;
  for (auto const seed : seeds)
    for (int use = 1; use <= 7; ++use)
      for (auto const epoch : epochs)
        for (auto const index : indices)
          for (auto const view : views) {
            blocks.insert(first_block(
                {seed, mae::purpose{static_cast<std::uint8_t>(use)}, epoch, index, view}));
            ++keys;
          }
  CHECK(blocks.size() == keys);
}

TEST_CASE("streams whose keys differ in one field are uncorrelated") {
  constexpr index_t count = 20000;
  constexpr mae::stream_key base{.seed = 1, .use = mae::purpose::mask, .epoch = 2, .index = 3};
  std::vector<mae::stream_key> others(6, base);
  others[0].seed = 2;
  others[1].seed |= std::uint64_t{1} << 40;
  others[2].use = mae::purpose::heldout_mask;
  others[3].epoch = 3;
  others[4].index = 4;
  others[5].view = 1;
  for (auto const& key : others) {
    mae::random_stream one(base);
    mae::random_stream other(key);
    double correlation = 0;
    for (index_t i = 0; i < count; ++i)
      correlation += 12 * (one.uniform_double() - 0.5) * (other.uniform_double() - 0.5);
    CHECK(std::abs(correlation / count) < five_sigma(count));
  }
}

TEST_CASE("uniform numbers fill [0, 1) evenly and are multiples of 2^-24") {
  constexpr index_t count = 64000;
  constexpr index_t cells = 64;
  auto stream = some_stream();
  std::vector<double> histogram(cells);
  for (index_t i = 0; i < count; ++i) {
    float const u = stream.uniform();
    REQUIRE(u >= 0.0F);
    REQUIRE(u < 1.0F);
    REQUIRE(std::ldexp(u, 24) == std::floor(std::ldexp(u, 24)));
    ++histogram[static_cast<std::size_t>(u * cells)];
  }
  // 63 degrees of freedom: mean 63, deviation 11.2.
  CHECK(chi_squared(histogram, static_cast<double>(count) / cells) < 63 + 5 * 11.2);
}

TEST_CASE("uniform doubles have 53 random bits") {
  auto stream = some_stream();
  std::uint64_t ones = 0;
  std::uint64_t zeros = 0;
  for (int i = 0; i < 1000; ++i) {
    double const u = stream.uniform_double();
    REQUIRE(u >= 0.0);
    REQUIRE(u < 1.0);
    auto const bits = static_cast<std::uint64_t>(std::ldexp(u, 53));
    REQUIRE(std::ldexp(static_cast<double>(bits), -53) == u);
    ones |= bits;
    zeros |= ~bits;
  }
  constexpr std::uint64_t all = (std::uint64_t{1} << 53) - 1;
  CHECK((ones & all) == all);
  CHECK((zeros & all) == all);
}

TEST_CASE("below() is uniform over a small range") {
  constexpr index_t count = 70000;
  auto stream = some_stream();
  std::vector<double> histogram(7);
  for (index_t i = 0; i < count; ++i) {
    auto const value = stream.below(7);
    REQUIRE(value < 7);
    ++histogram[value];
  }
  // 6 degrees of freedom: mean 6, deviation 3.5.
  CHECK(chi_squared(histogram, count / 7.0) < 6 + 5 * 3.5);
}

TEST_CASE("below() has no bias where scaling a word alone would have the worst") {
  // 2^32 words fall on 3 * 2^30 values: without rejection every third value would come twice as
  // often as the others, half of the time in all instead of a third.
  constexpr index_t count = 30000;
  constexpr std::uint64_t bound = std::uint64_t{3} << 30;
  auto stream = some_stream();
  index_t multiples = 0;
  for (index_t i = 0; i < count; ++i) {
    auto const value = stream.below(bound);
    REQUIRE(value < bound);
    if (value % 3 == 0) ++multiples;
  }
  double const share = static_cast<double>(multiples) / count;
  CHECK(std::abs(share - 1.0 / 3) < five_sigma(count, 2.0 / 9));
}

TEST_CASE("below() at the ends of its domain") {
  auto stream = some_stream();
  for (int i = 0; i < 20; ++i) CHECK(stream.below(1) == 0);
  auto same = some_stream(1);
  auto words = some_stream(1);
  for (int i = 0; i < 20; ++i) CHECK(same.below(std::uint64_t{1} << 32) == words.word());
}

TEST_CASE("normal numbers have the normal distribution's moments") {
  constexpr index_t count = 200000;
  auto stream = some_stream();
  std::array<double, 4> moments{};
  index_t within_one = 0;
  for (index_t i = 0; i < count; ++i) {
    double const z = stream.normal();
    double power = 1;
    for (double& moment : moments) moment += (power *= z) / count;
    if (std::abs(z) < 1) ++within_one;
  }
  CHECK(std::abs(moments[0]) < five_sigma(count));
  CHECK(std::abs(moments[1] - 1) < five_sigma(count, 2));
  CHECK(std::abs(moments[2]) < five_sigma(count, 15));
  CHECK(std::abs(moments[3] - 3) < five_sigma(count, 96));
  double const expected = std::erf(1 / std::sqrt(2.0));
  CHECK(std::abs(static_cast<double>(within_one) / count - expected) <
        five_sigma(count, expected * (1 - expected)));
}

TEST_CASE("normal numbers that follow each other are uncorrelated") {
  constexpr index_t count = 50000;
  auto stream = some_stream();
  double previous = stream.normal();
  double correlation = 0;
  for (index_t i = 0; i < count; ++i) {
    double const next = stream.normal();
    correlation += previous * next / count;
    previous = next;
  }
  CHECK(std::abs(correlation) < five_sigma(count));
}
