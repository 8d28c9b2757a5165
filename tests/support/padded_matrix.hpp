#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace mae_test {

using mae::index_t;
using mae::matrix_view;

/// A stream of its own for every seed of a test.
inline mae::random_stream stream_of(std::uint64_t seed) {
  return mae::random_stream({.seed = seed, .use = mae::purpose::probe});
}

/// Owns a row-major matrix whose rows have a gap of NaN behind them: reading it spoils a result,
/// writing to it is seen by gaps_are_intact(). Zero at first.
template <class T>
class padded_matrix {
 public:
  static constexpr index_t gap = 3;

  padded_matrix(index_t rows, index_t cols, T value = T{0})
      : rows_(rows),
        cols_(cols),
        values_(static_cast<std::size_t>(rows * (cols + gap)),
                std::numeric_limits<T>::quiet_NaN()) {
    for (index_t row = 0; row < rows; ++row) std::ranges::fill(view().row(row), value);
  }
  /// Standard normal values.
  padded_matrix(index_t rows, index_t cols, mae::random_stream& random)
      : padded_matrix(rows, cols) {
    for (index_t row = 0; row < rows; ++row)
      for (T& value : view().row(row)) value = static_cast<T>(random.normal());
  }

  matrix_view<T> view() { return {values_.data(), rows_, cols_, cols_ + gap}; }
  matrix_view<T const> view() const { return {values_.data(), rows_, cols_, cols_ + gap}; }
  /// Row 0, for what an op takes as a vector.
  std::span<T> vector() { return view().row(0); }
  std::span<T const> vector() const { return view().row(0); }

  T operator()(index_t row, index_t col) const { return view()(row, col); }

  bool gaps_are_intact() const {
    for (index_t row = 0; row < rows_; ++row) {
      auto const* const end = values_.data() + row * (cols_ + gap) + cols_;
      if (!std::all_of(end, end + gap, [](T value) { return std::isnan(value); })) return false;
    }
    return true;
  }

 private:
  index_t rows_ = 0;
  index_t cols_ = 0;
  std::vector<T> values_;
};

/// The largest |a - b|; infinite where either is NaN or the shapes differ, so that no comparison
/// with it passes by accident.
template <class T>
double largest_difference(matrix_view<T const> a, matrix_view<T const> b) {
  if (a.rows != b.rows || a.cols != b.cols) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (index_t row = 0; row < a.rows; ++row)
    for (index_t col = 0; col < a.cols; ++col) {
      auto const difference =
          std::abs(static_cast<double>(a(row, col)) - static_cast<double>(b(row, col)));
      if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
      largest = std::max(largest, difference);
    }
  return largest;
}

template <class T>
double largest_difference(padded_matrix<T> const& a, padded_matrix<T> const& b) {
  return largest_difference(a.view(), b.view());
}

}  // namespace mae_test
