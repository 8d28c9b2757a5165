#include <mae/core/float16.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

using mae::float16;

namespace {

constexpr std::uint16_t bits_of(float value) {
  return float16(value).bits;
}

}  // namespace

static_assert(bits_of(1.0F) == 0x3C00 && bits_of(-2.0F) == 0xC000 && bits_of(65504.0F) == 0x7BFF);
static_assert(bits_of(0.0F) == 0 && bits_of(-0.0F) == 0x8000);

TEST_CASE("every half is the float that rounds to it") {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    float16 half;
    half.bits = static_cast<std::uint16_t>(bits);
    auto const value = static_cast<float>(half);
    if (std::isnan(value))
      CHECK(std::isnan(static_cast<float>(float16(value))));
    else
      REQUIRE(float16(value).bits == bits);
  }
}

TEST_CASE("between two halves, the nearer is taken, at equal distance the even one") {
  for (unsigned bits = 0; bits < 0x7C00; ++bits) {
    float16 lower;
    float16 upper;
    lower.bits = static_cast<std::uint16_t>(bits);
    upper.bits = static_cast<std::uint16_t>(bits + 1);
    auto const low = static_cast<float>(lower);
    float const high = bits + 1 == 0x7C00 ? 65536.0F : static_cast<float>(upper);
    float const middle = low + (high - low) / 2;
    REQUIRE(bits_of(middle) == (bits % 2 == 0 ? bits : bits + 1));
    REQUIRE(bits_of(std::nextafter(middle, 0.0F)) == bits);
    REQUIRE(bits_of(-std::nextafter(middle, 1e6F)) == (0x8000U | (bits + 1)));
  }
}

TEST_CASE("what is too large is infinite") {
  CHECK(bits_of(65520.0F) == 0x7C00);
  CHECK(bits_of(std::nextafter(65520.0F, 0.0F)) == 0x7BFF);
  CHECK(bits_of(-1e30F) == 0xFC00);
  CHECK(bits_of(std::numeric_limits<float>::infinity()) == 0x7C00);
}
