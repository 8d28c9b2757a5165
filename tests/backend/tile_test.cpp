#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

// This file is compiled for every instruction set that the tile kernel has code for.

namespace {

using mae::bfloat16;
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
template <class O>
recorded_product<O> multiply(matrix_view<O const> a, matrix_view<O const> b, bool transposed) {
  mae::eigen_lane<O> const lane;
  recorded_product<O> product(transposed ? a.cols : a.rows, b.cols);
  if (transposed) {
    lane.multiply_transposed(a, b, product.epilogue());
  } else {
    std::vector<mae::cell_of<O>> cells(static_cast<std::size_t>(lane.packed_cells(b.rows, b.cols)));
    lane.multiply(a, lane.pack(b, cells.data()), product.epilogue());
  }
  return product;
}

/// The largest error of an entry in units of K 2^-24 sum |a||b| (2^-53 in double): at most 1.
template <class O>
double error_over_bound(index_t rows, index_t cols, index_t depth, bool transposed) {
  operand_matrix<O> const a(transposed ? depth : rows, transposed ? rows : depth, 1);
  operand_matrix<O> const b(depth, cols, 2);
  auto const product = multiply<O>(a.view(), b.view(), transposed);
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

struct range {
  index_t first;
  index_t count;
};

template <class O>
std::vector<mae::cell_of<O>> packed(matrix_view<O const> b) {
  std::vector<mae::cell_of<O>> cells(
      static_cast<std::size_t>(mae::packed_cells<O>(b.rows, b.cols)));
  mae::pack<O, O>(b, cells.data());
  return cells;
}

}  // namespace

TEST_CASE_TEMPLATE("R3: a product is that of its operands in double, but for the sum's rounding",
                   O,
                   float,
                   double,
                   bfloat16) {
  for (bool const transposed : {false, true})
    for (index_t const rows :
         {1, 2, 3, 5, 6, 7, 11, 12, 13, 16, 17, 18, 19, 24, 31, 32, 33, 47, 48})
      for (index_t const cols : {1, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 65})
        for (index_t const depth : {1, 2, 3, 4, 5, 16, 17, 32, 48, 64}) {
          CAPTURE(transposed);
          CAPTURE(rows);
          CAPTURE(cols);
          CAPTURE(depth);
          REQUIRE(error_over_bound<O>(rows, cols, depth, transposed) <= 1);
        }
  for (bool const transposed : {false, true}) {
    CHECK(error_over_bound<O>(67, 97, 203, transposed) <= 1);
    for (index_t const depth : {9, 96})  // several blocks of rows, which are padded and are not
      CHECK(error_over_bound<O>(601, 40, depth, transposed) <= 1);
  }
}

TEST_CASE_TEMPLATE(
    "an entry's bits do not depend on the rows beside it", O, float, double, bfloat16) {
  for (index_t const depth : {18, 64}) {
    operand_matrix<O> const a(67, depth, 3);
    operand_matrix<O> const b(depth, 37, 4);
    auto const whole = multiply<O>(a.view(), b.view(), false);
    for (auto const [first, count] : {range{0, 1},
                                      range{1, 4},
                                      range{7, 6},
                                      range{29, 11},
                                      range{0, 12},
                                      range{3, 16},
                                      range{50, 17},
                                      range{2, 33},
                                      range{1, 66}}) {
      auto const part = multiply<O>(a.view().middle_rows(first, count), b.view(), false);
      auto const same = whole.y.middle_rows(first, count);
      CHECK(std::memcmp(part.values.data(),
                        same.data,
                        part.values.size() * sizeof(part.values.front())) == 0);
    }
  }
}

TEST_CASE_TEMPLATE("a product over nothing is zero", O, float, double, bfloat16) {
  operand_matrix<O> const a(13, 0, 1);
  operand_matrix<O> const b(0, 5, 1);
  auto const product = multiply<O>(a.view(), b.view(), false);
  CHECK(product.every_entry_came_once());
  CHECK(std::ranges::all_of(product.values, [](auto value) { return value == 0; }));
}

TEST_CASE_TEMPLATE("a NaN reaches its row or column and nothing else", O, float, double, bfloat16) {
  for (index_t const size : {17, 64}) {  // padded, and read as it lies
    operand_matrix<O> a(size, size, 5);
    operand_matrix<O> const b(size, 35, 6);
    a.at(4, 9) = not_a_number<O>();
    auto const product = multiply<O>(a.view(), b.view(), false);
    for (index_t row = 0; row < size; ++row)
      for (index_t col = 0; col < 35; ++col) REQUIRE(std::isnan(product.y(row, col)) == (row == 4));
  }
}

TEST_CASE_TEMPLATE(
    "packing a transpose is packing what it transposes", O, float, double, bfloat16) {
  for (index_t const rows : {1, 3, 15, 16, 17, 40})
    for (index_t const cols : {1, 2, 15, 16, 31, 33, 70}) {
      operand_matrix<O> const b(rows, cols, 7);
      std::vector<O> turned(static_cast<std::size_t>(rows * cols));
      matrix_view<O> const transpose(turned.data(), cols, rows);
      for (index_t row = 0; row < rows; ++row)
        for (index_t col = 0; col < cols; ++col) transpose(col, row) = b.view()(row, col);
      std::vector<mae::cell_of<O>> cells(static_cast<std::size_t>(mae::packed_cells<O>(cols, rows)),
                                         mae::cell_of<O>{7});
      mae::pack_transposed<O, O>(b.view(), cells.data());
      CAPTURE(rows);
      CAPTURE(cols);
      CHECK(cells == packed<O>(transpose));
    }
}

TEST_CASE("packing bfloat16 from float rounds first") {
  operand_matrix<float> const b(19, 37, 8);
  std::vector<bfloat16> rounded;
  for (index_t row = 0; row < 19; ++row)
    for (float const value : b.view().row(row)) rounded.emplace_back(value);
  matrix_view<bfloat16 const> const same(rounded.data(), 19, 37);
  std::vector<std::uint32_t> cells(static_cast<std::size_t>(mae::packed_cells<bfloat16>(19, 37)));
  mae::pack<bfloat16, float>(b.view(), cells.data());
  CHECK(cells == packed<bfloat16>(same));

  cells.assign(static_cast<std::size_t>(mae::packed_cells<bfloat16>(37, 19)), 0);
  mae::pack_transposed<bfloat16, float>(b.view(), cells.data());
  std::vector<std::uint32_t> expected(cells.size());
  mae::pack_transposed<bfloat16, bfloat16>(same, expected.data());
  CHECK(cells == expected);
}
