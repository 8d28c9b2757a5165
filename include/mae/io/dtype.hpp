#pragma once

#include <mae/core/types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace mae {

/// The element types that a safetensors file can hold.
enum class dtype : std::uint8_t {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  f64,
  i64,
  u64,
};

namespace detail {

struct dtype_description {
  std::string_view name;  // in the file
  std::uint64_t bytes;    // of one element
};

inline constexpr std::array<dtype_description, 15> dtype_table{{
    {"BOOL", 1},
    {"U8", 1},
    {"I8", 1},
    {"F8_E5M2", 1},
    {"F8_E4M3", 1},
    {"I16", 2},
    {"U16", 2},
    {"F16", 2},
    {"BF16", 2},
    {"I32", 4},
    {"U32", 4},
    {"F32", 4},
    {"F64", 8},
    {"I64", 8},
    {"U64", 8},
}};

}  // namespace detail

/// The type's name in a file, "F32".
constexpr std::string_view dtype_name(dtype type) {
  return detail::dtype_table[static_cast<std::size_t>(type)].name;
}

/// The bytes of one element.
constexpr std::uint64_t dtype_bytes(dtype type) {
  return detail::dtype_table[static_cast<std::size_t>(type)].bytes;
}

/// The type of that name; none when there is no such type.
constexpr std::optional<dtype> dtype_of(std::string_view name) {
  for (std::size_t i = 0; i < detail::dtype_table.size(); ++i)
    if (detail::dtype_table[i].name == name) return static_cast<dtype>(i);
  return std::nullopt;
}

/// The bytes of a dense tensor: none when an extent is negative, or when the product of the
/// extents from the left, or the bytes, exceed 64 bits.
constexpr std::optional<std::uint64_t> tensor_bytes(dtype type, std::span<index_t const> shape) {
  constexpr auto max = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t elements = 1;
  for (index_t const extent : shape) {
    if (extent < 0) return std::nullopt;
    auto const factor = static_cast<std::uint64_t>(extent);
    if (factor != 0 && elements > max / factor) return std::nullopt;
    elements *= factor;
  }
  if (elements > max / dtype_bytes(type)) return std::nullopt;
  return elements * dtype_bytes(type);
}

static_assert(dtype_name(dtype::u64) == "U64" && dtype_of("F32") == dtype::f32);

}  // namespace mae
