#pragma once

#include <mae/core/types.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mae {

/// Some neighbouring values of a series, which are known again by their hash.
struct value_run {
  index_t begin = 0;  // counted from the first value
  index_t count = 0;
  std::uint64_t hash = 0;
};

/// The hashes of all runs of values, each in a few operations: polynomials of the values' mixed
/// bits, modulo 2^64 (Karp and Rabin 1987). They find accidents, not forgeries.
class run_hashes {
 public:
  explicit run_hashes(std::span<double const> values) : sums_(1) {
    sums_.reserve(values.size() + 1);
    for (double const value : values) sums_.push_back(sums_.back() * factor + mixed(value));
  }
  std::uint64_t of(index_t begin, index_t count) const {
    return sums_[static_cast<std::size_t>(begin + count)] -
           sums_[static_cast<std::size_t>(begin)] * power(count);
  }

 private:
  static constexpr std::uint64_t factor = 0x9E3779B97F4A7C15;

  /// As SplitMix64 ends (Steele, Lea and Flood 2014); the two zeros are one value.
  static std::uint64_t mixed(double value) {
    auto bits = std::bit_cast<std::uint64_t>(value + 0.0) + factor;
    bits = (bits ^ bits >> 30U) * 0xBF58476D1CE4E5B9;
    bits = (bits ^ bits >> 27U) * 0x94D049BB133111EB;
    return bits ^ bits >> 31U;
  }
  static std::uint64_t power(index_t exponent) {
    std::uint64_t found = 1;
    std::uint64_t base = factor;
    for (; exponent > 0; exponent /= 2, base *= base)
      if (exponent % 2 == 1) found *= base;
    return found;
  }

  std::vector<std::uint64_t> sums_;
};

namespace detail {

/// The longest run without a missing value in [begin, end), the first of equal ones.
inline value_run longest_known(std::span<double const> values, index_t begin, index_t end) {
  value_run longest{.begin = begin};
  index_t count = 0;
  for (index_t i = begin; i < end; ++i) {
    count = std::isnan(values[static_cast<std::size_t>(i)]) ? 0 : count + 1;
    if (count > longest.count) longest = {.begin = i + 1 - count, .count = count};
  }
  return longest;
}
inline bool is_constant(std::span<double const> values) {
  return std::all_of(
      values.begin(), values.end(), [&](double value) { return value == values.front(); });
}

}  // namespace detail

/// Of each of about 16 blocks of values a run by which it is known again: one that misses none and
/// is not constant. Its count is a power of two, so that there are few different ones. Blocks
/// without one of at least 8 values have none.
inline std::vector<value_run> known_runs(std::span<double const> values) {
  constexpr index_t blocks = 16;
  constexpr index_t least_block = 16;
  constexpr index_t least = 8;
  auto const length = std::ssize(values);
  index_t const size = std::max(least_block, ceil_div(length, blocks));
  run_hashes const hashes(values);
  std::vector<value_run> runs;
  for (index_t begin = 0; begin < length; begin += size) {
    auto run = detail::longest_known(values, begin, std::min(begin + size, length));
    if (run.count < least) continue;
    run.count = static_cast<index_t>(std::bit_floor(static_cast<std::uint64_t>(run.count)));
    if (detail::is_constant(values.subspan(static_cast<std::size_t>(run.begin),
                                           static_cast<std::size_t>(run.count))))
      continue;
    run.hash = hashes.of(run.begin, run.count);
    runs.push_back(run);
  }
  return runs;
}

}  // namespace mae
