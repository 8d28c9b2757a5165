#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/series/time_axis.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Variables that were measured at the same times.
struct series {
  std::vector<std::string> names = {};  // (variables)
  std::vector<double> values = {};      // (variables, time), NaN where a value is missing
  time_axis time = {};

  index_t variables() const { return std::ssize(names); }
  index_t length() const { return names.empty() ? 0 : std::ssize(values) / variables(); }
  std::span<double const> variable(index_t number) const {
    return std::span(values).subspan(static_cast<std::size_t>(number * length()),
                                     static_cast<std::size_t>(length()));
  }
  /// (variables, time)
  matrix_view<double const> view() const { return {values.data(), variables(), length()}; }
};

}  // namespace mae
