#include <mae/core/bfloat16.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

namespace {

using mae::bfloat16;
using mae::index_t;

/// Zeros, what overflows, a NaN, and then values of many binades: at, just beside and halfway
/// between two of bfloat16.
std::vector<float> samples(index_t count) {
  constexpr auto greatest = std::numeric_limits<float>::max();
  constexpr auto infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values{
      0.0F, -0.0F, greatest, -infinity, std::numeric_limits<float>::quiet_NaN()};
  constexpr std::array<std::uint32_t, 6> beside{0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
  for (std::uint32_t i = 0; std::ssize(values) < count; ++i) {
    std::uint32_t const upper = 0x0080 + i * 0x0123 % 0x7E00;  // the bits that bfloat16 keeps
    std::uint32_t const sign = i % 5 == 0 ? 0x8000 : 0;
    values.push_back(std::bit_cast<float>((sign | upper) << 16U | beside[i % beside.size()]));
  }
  values.resize(static_cast<std::size_t>(count));
  return values;
}

void check_rounded(std::vector<float> const& exact, std::vector<bfloat16> const& rounded) {
  for (std::size_t i = 0; i < exact.size(); ++i) {
    CAPTURE(i);
    bfloat16 const expected(exact[i]);
    if (std::isnan(exact[i]))
      CHECK(std::isnan(static_cast<float>(rounded[i])));
    else
      CHECK(rounded[i].bits == expected.bits);
  }
  CHECK(rounded.back().bits == 0x1234);
}

std::vector<bfloat16> room(index_t count) {
  std::vector<bfloat16> values(static_cast<std::size_t>(count) + 1);
  values.back().bits = 0x1234;  // not theirs
  return values;
}

}  // namespace

TEST_CASE("values are rounded to bfloat16 as one by one, however many there are") {
  for (index_t const count : {0, 1, 16, 31, 32, 33, 64, 100, 1000}) {
    CAPTURE(count);
    auto const exact = samples(count);
    float const* const from = exact.data();
    auto copied = room(count);
    mae::round_each(count, from, copied.data());
    check_rounded(exact, copied);

    auto computed = room(count);
    mae::store_each(count, computed.data(), [&](index_t i) { return -from[i]; });
    auto negated = exact;
    for (auto& value : negated) value = -value;
    float const* const minus = negated.data();
    check_rounded(negated, computed);

    auto first = room(count);
    auto second = room(count);
    mae::store_each(count, first.data(), second.data(), [&](index_t i) {
      return mae::two_values<float>{from[i], minus[i]};
    });
    check_rounded(exact, first);
    check_rounded(negated, second);
  }
}

TEST_CASE("values that keep their type are stored as they are") {
  std::array<float, 40> exact{};
  for (std::size_t i = 0; i < exact.size(); ++i) exact[i] = 1.0F / static_cast<float>(i + 1);
  float const* const from = exact.data();
  std::array<float, 40> copied{};
  mae::round_each(index_t{40}, from, copied.data());
  CHECK(copied == exact);
  std::array<double, 40> halves{};
  mae::store_each(index_t{40}, halves.data(), [&](index_t i) { return 0.5 * from[i]; });
  for (std::size_t i = 0; i < exact.size(); ++i) CHECK(halves[i] == 0.5 * exact[i]);
}
