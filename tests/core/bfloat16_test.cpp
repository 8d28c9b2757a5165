#include <mae/core/bfloat16.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace {

using mae::bfloat16;

std::uint16_t bits(float value) {
  return bfloat16(value).bits;
}

}  // namespace

TEST_CASE("every bfloat16 is a float, and comes back") {
  for (std::uint32_t upper = 0; upper <= 0xFFFF; ++upper) {
    auto const value = std::bit_cast<float>(upper << 16U);
    bfloat16 const there(value);
    if (std::isnan(value))
      REQUIRE(std::isnan(static_cast<float>(there)));
    else
      REQUIRE(there.bits == upper);
  }
}

TEST_CASE("a float is rounded to the nearest, and halfway to the even one") {
  CHECK(bits(1.0F) == 0x3F80);
  CHECK(bits(std::bit_cast<float>(0x3F807FFFU)) == 0x3F80);  // below halfway
  CHECK(bits(std::bit_cast<float>(0x3F808000U)) == 0x3F80);  // halfway, down to even
  CHECK(bits(std::bit_cast<float>(0x3F808001U)) == 0x3F81);  // above halfway
  CHECK(bits(std::bit_cast<float>(0x3F818000U)) == 0x3F82);  // halfway, up to even
  CHECK(bits(-std::bit_cast<float>(0x3F818000U)) == 0xBF82);
}

TEST_CASE("the ends of the range") {
  CHECK(bits(std::numeric_limits<float>::infinity()) == 0x7F80);
  CHECK(bits(std::numeric_limits<float>::max()) == 0x7F80);  // beyond the largest bfloat16
  CHECK(bits(-0.0F) == 0x8000);
  CHECK(std::isnan(static_cast<float>(bfloat16(std::bit_cast<float>(0x7F800001U)))));
  CHECK(bfloat16(0.0F) == bfloat16(-0.0F));
  CHECK_FALSE(bfloat16(NAN) == bfloat16(NAN));
}
