#pragma once

#include <mae/core/error.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors_header.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace mae {

namespace detail {

/// Whether a value among these has all bits of the exponent set: an infinity or a NaN. Without a
/// branch, so that it runs at the speed of memory.
template <class Bits>
bool has_full_exponent(std::span<std::byte const> bytes, Bits exponent) {
  unsigned found = 0;
  for (std::size_t at = 0; at + sizeof(Bits) <= bytes.size(); at += sizeof(Bits)) {
    Bits value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(Bits));
    found |= static_cast<unsigned>((value & exponent) == exponent);
  }
  return found != 0;
}

}  // namespace detail

/// Whether every value of a tensor is finite; one of whole numbers always is.
inline bool is_finite(tensor_entry const& tensor) {
  switch (tensor.type) {
    case dtype::f16:
      return !detail::has_full_exponent<std::uint16_t>(tensor.bytes, 0x7C00);
    case dtype::bf16:
      return !detail::has_full_exponent<std::uint16_t>(tensor.bytes, 0x7F80);
    case dtype::f32:
      return !detail::has_full_exponent<std::uint32_t>(tensor.bytes, 0x7F800000);
    case dtype::f64:
      return !detail::has_full_exponent<std::uint64_t>(tensor.bytes, 0x7FF0000000000000);
    default:
      return true;
  }
}

/// Throws numeric_error, which names the tensor, for values that are not to be saved at `path`.
inline void require_finite(std::string const& path, std::span<tensor_entry const> tensors) {
  for (auto const& tensor : tensors)
    if (!is_finite(tensor)) throw numeric_error(path, tensor.name);
}

}  // namespace mae
