#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace mae::detail {

/// Rows divided by their lengths, in double and by plain loops: nvcc compiles them too.
class unit_rows {
 public:
  template <class T>
  explicit unit_rows(matrix_view<T const> rows)
      : width_(static_cast<std::size_t>(rows.cols)),
        values_(static_cast<std::size_t>(rows.rows) * width_),
        lengths_(static_cast<std::size_t>(rows.rows)) {
    constexpr double least_length = 1e-12;  // as PyTorch's normalize
    for (index_t r = 0; r < rows.rows; ++r) {
      auto const from = rows.row(r);
      double squares = 0;
      for (T const value : from) squares += static_cast<double>(value) * static_cast<double>(value);
      double const length = std::max(std::sqrt(squares), least_length);
      lengths_[static_cast<std::size_t>(r)] = length;
      std::ranges::transform(from,
                             values_.begin() + static_cast<std::ptrdiff_t>(r * rows.cols),
                             [length](T value) { return static_cast<double>(value) / length; });
    }
  }

  std::span<double const> row(index_t r) const {
    return std::span(values_).subspan(static_cast<std::size_t>(r) * width_, width_);
  }
  /// Of a loss whose gradient for the unit row is `gradient`, times `scale`: that for the row as it
  /// was. What is left once the part along the row is taken away, by the row's length.
  template <class T>
  void write_gradient(index_t r,
                      std::span<double const> gradient,
                      double scale,
                      std::span<T> to) const {
    auto const f = row(r);
    double const along = std::inner_product(f.begin(), f.end(), gradient.begin(), 0.0);
    double const factor = scale / lengths_[static_cast<std::size_t>(r)];
    for (std::size_t k = 0; k < f.size(); ++k)
      to[k] = static_cast<T>(factor * (gradient[k] - along * f[k]));
  }

  /// The sum over rows f of f^T f (width, width), four rows at a time, which spares memory.
  std::vector<double> second_moment() const {
    std::vector<double> sum(width_ * width_);
    std::size_t const rows = lengths_.size();
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      std::array<double const*, 4> const f{at(r), at(r + 1), at(r + 2), at(r + 3)};
      for (std::size_t i = 0; i < width_; ++i)
        for (std::size_t k = 0; k < width_; ++k)
          sum[i * width_ + k] +=
              f[0][i] * f[0][k] + f[1][i] * f[1][k] + f[2][i] * f[2][k] + f[3][i] * f[3][k];
    }
    for (; r < rows; ++r)
      for (std::size_t i = 0; i < width_; ++i)
        for (std::size_t k = 0; k < width_; ++k) sum[i * width_ + k] += at(r)[i] * at(r)[k];
    return sum;
  }

 private:
  double const* at(std::size_t r) const { return values_.data() + r * width_; }

  std::size_t width_;
  std::vector<double> values_;
  std::vector<double> lengths_;
};

}  // namespace mae::detail
