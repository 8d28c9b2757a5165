#pragma once

#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// How the gradients of a step's heads meet on the encoder, each that of its loss times its weight:
/// their inner products, apart for each depth of it. Depth 0 is what embeds patches (with class
/// token and learned positions), d the block d - 1, the last the final norm.
class gradient_products {
 public:
  gradient_products() = default;
  /// Of these heads, whose numbers in the network are `numbers`: zeros.
  gradient_products(std::vector<std::size_t> numbers,
                    std::vector<std::string_view> names,
                    std::size_t depths)
      : numbers_(std::move(numbers)),
        names_(std::move(names)),
        products_(depths * names_.size() * names_.size()) {}

  std::size_t heads() const { return names_.size(); }
  std::size_t depths() const { return names_.empty() ? 0 : products_.size() / heads() / heads(); }
  std::string_view name(std::size_t head) const { return names_[head]; }
  /// In the network.
  std::size_t number(std::size_t head) const { return numbers_[head]; }

  void set(std::size_t depth, std::size_t a, std::size_t b, double product) {
    products_[(depth * heads() + a) * heads() + b] = product;
    products_[(depth * heads() + b) * heads() + a] = product;
  }
  double operator()(std::size_t depth, std::size_t a, std::size_t b) const {
    return products_[(depth * heads() + a) * heads() + b];
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

  /// Those of all depths together (heads, heads).
  std::vector<double> whole() const {
    std::vector<double> sum(heads() * heads());
    for (std::size_t i = 0; i < products_.size(); ++i) sum[i % sum.size()] += products_[i];
    return sum;
  }

 private:
  std::vector<std::size_t> numbers_;
  std::vector<std::string_view> names_;
  std::vector<double> products_;  // (depths, heads, heads)
};

}  // namespace mae
