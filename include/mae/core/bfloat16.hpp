#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>

#include <bit>
#include <cstdint>

namespace mae {
inline namespace MAE_ISA {

/// The upper half of a float: its range, with 8 bits of precision. A type to store and to multiply;
/// sums are kept in float.
struct bfloat16 {
  std::uint16_t bits = 0;

  constexpr bfloat16() = default;
  /// Rounds to the nearest, ties to even; a NaN stays one.
  MAE_HOST_DEVICE constexpr explicit bfloat16(float value) {
    auto const whole = std::bit_cast<std::uint32_t>(value);
    std::uint32_t const rounded = whole + 0x7FFFU + ((whole >> 16U) & 1U);
    std::uint32_t const quiet = whole | 0x00400000U;
    bits = static_cast<std::uint16_t>((value == value ? rounded : quiet) >> 16U);
  }
  MAE_HOST_DEVICE constexpr explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }

  friend constexpr bool operator==(bfloat16 a, bfloat16 b) {
    return static_cast<float>(a) == static_cast<float>(b);
  }
};

}  // namespace MAE_ISA
}  // namespace mae
