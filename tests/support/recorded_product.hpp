#pragma once

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mae_test {

using mae::index_t;
using mae::matrix_view;

template <class O>
O not_a_number() {
  return static_cast<O>(std::numeric_limits<float>::quiet_NaN());
}

/// A matrix of normal values in rows with gaps of NaN between them: a product that reads a gap is
/// spoilt.
template <class O>
class operand_matrix {
 public:
  operand_matrix(index_t rows, index_t cols, std::uint64_t seed)
      : rows_(rows),
        cols_(cols),
        values_(static_cast<std::size_t>(rows * (cols + gap)), not_a_number<O>()) {
    mae::random_stream random({.seed = seed, .use = mae::purpose::probe});
    for (index_t row = 0; row < rows; ++row)
      for (index_t col = 0; col < cols; ++col)
        at(row, col) = static_cast<O>(static_cast<float>(random.normal()));
  }

  matrix_view<O const> view() const { return {values_.data(), rows_, cols_, cols_ + gap}; }
  O& at(index_t row, index_t col) {
    return values_[static_cast<std::size_t>(row * (cols_ + gap) + col)];
  }
  double operator()(index_t row, index_t col) const {
    return static_cast<double>(static_cast<mae::sum_of<O>>(view()(row, col)));
  }

 private:
  static constexpr index_t gap = 3;

  index_t rows_;
  index_t cols_;
  std::vector<O> values_;
};

/// Writes what it gets, once an entry: the number of times is kept.
template <class T>
struct record_entries {
  matrix_view<T> y;
  int* visits;

  std::array<mae::memory_rows, 2> meets(index_t row, index_t col) const {
    return {mae::memory_from(y, row, col)};
  }
  template <class Count>
  void operator()(T const* values, index_t row, index_t col, Count count) const {
    for (index_t i = 0; i < count; ++i) {
      y(row, col + i) = values[i];
      ++visits[row * y.cols + col + i];
    }
  }
};

/// A product and how often each of its entries was handed over.
template <class O>
struct recorded_product {
  using T = mae::sum_of<O>;

  recorded_product(index_t rows, index_t cols)
      : values(static_cast<std::size_t>(rows * cols), std::numeric_limits<T>::quiet_NaN()),
        visits(values.size(), 0),
        y(values.data(), rows, cols) {}

  record_entries<T> epilogue() { return {y, visits.data()}; }
  bool every_entry_came_once() const {
    return std::ranges::all_of(visits, [](int count) { return count == 1; });
  }

  std::vector<T> values;
  std::vector<int> visits;
  matrix_view<T> y;
};

/// a b or, transposed, a^T b.
template <class O, class Products = mae::tile_products>
recorded_product<O> multiply(matrix_view<O const> a, matrix_view<O const> b, bool transposed) {
  mae::eigen_lane<O, Products> const lane;
  recorded_product<O> product(transposed ? a.cols : a.rows, b.cols);
  if (transposed) {
    lane.multiply_transposed(a, b, product.epilogue());
  } else {
    using cell = typename mae::eigen_lane<O, Products>::cell;
    std::vector<cell> cells(static_cast<std::size_t>(lane.packed_cells(b.rows, b.cols)));
    lane.multiply(a, lane.pack(b, cells.data()), product.epilogue());
  }
  return product;
}

/// The largest error of an entry in units of K 2^-24 sum |a||b| (2^-53 in double): at most 1,
/// unless the product leaves out the last `dropped` terms.
template <class O, class Products = mae::tile_products>
double error_over_bound(
    index_t rows, index_t cols, index_t depth, bool transposed, index_t dropped = 0) {
  operand_matrix<O> const a(transposed ? depth : rows, transposed ? rows : depth, 1);
  operand_matrix<O> const b(depth, cols, 2);
  index_t const kept = depth - dropped;
  auto const product = multiply<O, Products>(
      transposed ? a.view().middle_rows(0, kept) : a.view().middle_cols(0, kept),
      b.view().middle_rows(0, kept),
      transposed);
  if (!product.every_entry_came_once()) return std::numeric_limits<double>::infinity();
  constexpr double unit = std::numeric_limits<mae::sum_of<O>>::epsilon() / 2;
  double worst = 0;
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < cols; ++j) {
      long double exact = 0;
      long double magnitude = 0;
      for (index_t k = 0; k < depth; ++k) {
        long double const term = static_cast<long double>(transposed ? a(k, i) : a(i, k)) * b(k, j);
        exact += term;
        magnitude += std::abs(term);
      }
      auto const error = static_cast<double>(std::abs(product.y(i, j) - exact) /
                                             (static_cast<long double>(depth) * unit * magnitude));
      worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
    }
  return worst;
}

}  // namespace mae_test
