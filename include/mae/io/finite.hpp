#pragma once

#include <mae/io/dtype.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mae {

namespace detail {

/// Whether a value among these has all bits of the exponent set: an infinity or a NaN. Without a
/// branch, so that it runs at the speed of memory.
template <class Bits>
bool has_full_exponent(std::span<std::byte const> bytes, Bits exponent) {
  std::byte const* const data = bytes.data();
  std::size_t const count = bytes.size() / sizeof(Bits);
  Bits most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Bits value = 0;
    std::memcpy(&value, data + i * sizeof(Bits), sizeof(Bits));
    most = std::max(most, static_cast<Bits>(value & exponent));
  }
  return most == exponent;
}

}  // namespace detail

/// Whether every value among the bytes is finite; whole numbers always are.
inline bool all_finite(dtype type, std::span<std::byte const> bytes) {
  switch (type) {
    case dtype::f16:
      return !detail::has_full_exponent<std::uint16_t>(bytes, 0x7C00);
    case dtype::bf16:
      return !detail::has_full_exponent<std::uint16_t>(bytes, 0x7F80);
    case dtype::f32:
      return !detail::has_full_exponent<std::uint32_t>(bytes, 0x7F800000);
    case dtype::f64:
      return !detail::has_full_exponent<std::uint64_t>(bytes, 0x7FF0000000000000);
    default:
      return true;
  }
}

}  // namespace mae
