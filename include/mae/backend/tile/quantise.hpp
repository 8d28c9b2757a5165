#pragma once

#include <mae/core/error.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

// Values of 8 bits with a scale for each row, as int8 products read them: x is nearly q * scale, q
// a whole number of [-127, 127]. Symmetric, so that zero is zero and no sum needs a correction by
// the other operand's; by rows, so that no image's values depend on another's.

namespace mae {
inline namespace MAE_ISA {

inline constexpr int most_quantised = 127;

/// The scale of a row whose greatest magnitude is `most`, finite: a 127th of it, cut to 16
/// significant bits, so that q * scale is exact in float: what a file holds as q and scale becomes
/// the same q and scale when its values are quantised again. 1 where all values round to zero.
inline float quantised_scale(float most) {
  constexpr std::uint32_t upper_bits = 0xFFFFFF00U;
  constexpr float least = std::numeric_limits<float>::min();  // whose inverse is finite
  if (most <= least / 2) return 1;
  float const scale = most / static_cast<float>(most_quantised);
  return std::max(least, std::bit_cast<float>(std::bit_cast<std::uint32_t>(scale) & upper_bits));
}

/// The greatest magnitude of a row; infinite or NaN where a value of it is.
template <class T>
float greatest_magnitude(T const* row, index_t count) {
  constexpr std::uint32_t magnitude = 0x7FFFFFFFU;
  std::int32_t most = 0;  // bits of magnitudes are ordered as their values, and NaN is beyond
  for (index_t i = 0; i < count; ++i)
    most = std::max(most,
                    static_cast<std::int32_t>(
                        std::bit_cast<std::uint32_t>(static_cast<float>(row[i])) & magnitude));
  return std::bit_cast<float>(most);
}

/// to[i] = offset + row[i] / scale, rounded half to even, for a row's own scale, which is returned.
/// Throws numeric_error, which calls the row `name`, where a value is not finite.
template <class Value, class T>
float quantise_row(
    T const* row, index_t count, char const* name, int offset, Value* __restrict to) {
  float const most = greatest_magnitude(row, count);
  if (!std::isfinite(most))
    throw numeric_error(std::string("a value of ") + name +
                        " is not finite, which int8 products cannot read");
  float const scale = quantised_scale(most);
  float const inverse = 1 / scale;
  for (index_t i = 0; i < count; ++i)
    to[i] = static_cast<Value>(
        static_cast<std::int32_t>(std::rint(static_cast<float>(row[i]) * inverse)) + offset);
  return scale;
}

}  // namespace MAE_ISA
}  // namespace mae
