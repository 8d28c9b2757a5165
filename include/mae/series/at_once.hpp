#pragma once

#include <mae/core/types.hpp>

#include <algorithm>

namespace mae::detail {

/// How many windows, or pictures of several, are held at once when each has so many values: so that
/// memory is bounded, and `most` at most.
constexpr index_t windows_at_once(index_t values, index_t most) {
  constexpr index_t most_values = index_t{1} << 22;
  return std::clamp(most_values / std::max<index_t>(values, 1), index_t{1}, most);
}

}  // namespace mae::detail
