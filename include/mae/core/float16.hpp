#pragma once

#include <bit>
#include <cstdint>

namespace mae {

/// IEEE 754 half precision, as files hold it. A type to store.
struct float16 {
  std::uint16_t bits = 0;

  constexpr float16() = default;
  /// Rounds to the nearest, ties to even; beyond 65,504 to infinity. A NaN stays one.
  constexpr explicit float16(float value) {
    constexpr std::uint32_t infinity = 0x7F800000U;
    constexpr std::uint32_t least_normal = 0x38800000U;  // 2^-14
    constexpr std::uint32_t overflow = 0x47800000U;      // 2^16
    auto const whole = std::bit_cast<std::uint32_t>(value);
    std::uint32_t const magnitude = whole & 0x7FFFFFFFU;
    std::uint32_t result = 0;
    if (magnitude > infinity) {
      result = 0x7E00U;
    } else if (magnitude >= overflow) {
      result = 0x7C00U;
    } else if (magnitude < least_normal) {
      // Floats in [1/2, 1) are as far apart as the subnormal halves: the addition rounds.
      float const shifted = std::bit_cast<float>(magnitude) + 0.5F;
      result = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5F);
    } else {
      std::uint32_t const rebased = magnitude - ((127U - 15U) << 23U);
      result = (rebased + 0x0FFFU + ((rebased >> 13U) & 1U)) >> 13U;
    }
    bits = static_cast<std::uint16_t>(result | ((whole >> 16U) & 0x8000U));
  }
  constexpr explicit operator float() const {
    std::uint32_t const sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
    std::uint32_t const exponent = (bits >> 10U) & 0x1FU;
    std::uint32_t const fraction = bits & 0x03FFU;
    if (exponent == 0) {
      constexpr float step = 1.0F / (1U << 24U);
      float const magnitude = static_cast<float>(fraction) * step;
      return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    std::uint32_t const widened = exponent == 31U ? 255U : exponent + (127U - 15U);
    return std::bit_cast<float>(sign | (widened << 23U) | (fraction << 13U));
  }
};

}  // namespace mae
