#include "recorded_product.hpp"

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
using mae_test::error_over_bound;
using mae_test::multiply;
using mae_test::not_a_number;
using mae_test::operand_matrix;

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
  CHECK(error_over_bound<O>(201, 136, 4096, false) <= 1);  // b is beyond a second cache
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
