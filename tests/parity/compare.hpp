#pragma once

#include "backend_run.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace mae_test {

inline double largest(std::vector<float> const& values) {
  double top = 0;
  for (float const value : values) top = std::max(top, std::abs(static_cast<double>(value)));
  return top;
}

/// Checks every result against the reference's, relative to its tensor's largest value, which no
/// sum of products of magnitudes is below. A gradient that is zero but for rounding (that of the
/// keys' bias) is compared with all gradients' largest.
inline void check_equal(backend_run const& run, backend_run const& expected, double tolerance) {
  REQUIRE(run.values.size() == expected.values.size());
  double gradients = 0;
  for (auto const& [name, values] : expected.values)
    if (name.starts_with("gradient of")) gradients = std::max(gradients, largest(values));
  for (auto const& entry : expected.values) {
    auto const& name = entry.first;
    auto const& values = entry.second;
    CAPTURE(name);  // by a lambda, which clang 14 does not let capture a structured binding
    auto const& computed = run.values.at(name);
    REQUIRE(computed.size() == values.size());
    double const scale =
        std::max(largest(values), name.starts_with("gradient of") ? 1e-2 * gradients : 0.0);
    double difference = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      double const d = std::abs(static_cast<double>(computed[i]) - static_cast<double>(values[i]));
      difference = std::isnan(d) ? INFINITY : std::max(difference, d);
    }
    CHECK(difference <= tolerance * scale);
  }
  CHECK(run.files_agree);
}

}  // namespace mae_test
