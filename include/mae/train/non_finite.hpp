#pragma once

#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

namespace mae {

/// The tensor whose gradient is the first that is not finite, in words, of gradients laid out as
/// the parameters and in the host's memory.
template <class T>
std::string first_non_finite(parameter_layout const& layout, std::span<T const> gradients) {
  for (auto const& tensor : layout.tensors()) {
    auto const values = gradients.subspan(static_cast<std::size_t>(tensor.offset),
                                          static_cast<std::size_t>(tensor.size()));
    if (!std::ranges::all_of(values, [](T value) { return std::isfinite(value); }))
      return "the gradient of " + tensor.name;
  }
  return "the gradient's norm";
}

}  // namespace mae
