#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace mae {

/// How the gradients of a network's heads meet on the encoder in a step, each that of its loss
/// times its weight: their inner products, apart for each depth of the encoder. Depth 0 is what
/// embeds patches (with class token and learned positions), d the block d - 1, the last the final
/// norm. Of a head that has no part in the step all are 0.
struct gradient_products {
  std::size_t depths = 0;
  std::size_t heads = 0;
  std::vector<double> values = {};  // (depths, heads, heads)

  double operator()(std::size_t depth, std::size_t a, std::size_t b) const {
    return values[(depth * heads + a) * heads + b];
  }
  double norm(std::size_t depth, std::size_t head) const {
    return std::sqrt((*this)(depth, head, head));
  }
  /// In [-1, 1]; not a number where one of the two is 0.
  double cosine(std::size_t depth, std::size_t a, std::size_t b) const {
    double const length = norm(depth, a) * norm(depth, b);
    if (!(length > 0)) return std::numeric_limits<double>::quiet_NaN();
    return std::clamp((*this)(depth, a, b) / length, -1.0, 1.0);
  }
  /// Of all depths together.
  double whole(std::size_t a, std::size_t b) const {
    double sum = 0;
    for (std::size_t depth = 0; depth < depths; ++depth) sum += (*this)(depth, a, b);
    return sum;
  }
};

}  // namespace mae
