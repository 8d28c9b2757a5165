#pragma once

#include <mae/core/strict_arithmetic.hpp>

#include <cstddef>
#include <cstdint>

namespace mae {

/// Every size, count and position. Signed, so that differences and loops downwards are safe.
using index_t = std::ptrdiff_t;

/// The position of a patch in its image, row of patches first.
using patch_index = std::int32_t;
/// An image's number in a dataset, where many are stored.
using image_index = std::int32_t;

/// The least multiple of `step` that is not below `value`; both positive.
constexpr index_t round_up(index_t value, index_t step) {
  return (value + step - 1) / step * step;
}

/// How many pieces of `step` cover `value`; both positive.
constexpr index_t ceil_div(index_t value, index_t step) {
  return (value + step - 1) / step;
}

}  // namespace mae
