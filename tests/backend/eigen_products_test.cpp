#include "recorded_product.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/eigen_products.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace {

using mae::bfloat16;
using mae::index_t;
using mae_test::error_over_bound;
using mae_test::operand_matrix;

}  // namespace

TEST_CASE_TEMPLATE("R3: Eigen's products are those of the operands in double, but for rounding",
                   O,
                   float,
                   double,
                   bfloat16) {
  for (bool const transposed : {false, true}) {
    for (index_t const rows : {1, 2, 7, 16, 33})
      for (index_t const cols : {1, 3, 16, 65})
        for (index_t const depth : {1, 2, 5, 48, 64}) {
          CAPTURE(transposed);
          CAPTURE(rows);
          CAPTURE(cols);
          CAPTURE(depth);
          REQUIRE(error_over_bound<O, mae::eigen_products>(rows, cols, depth, transposed) <= 1);
        }
    CHECK(error_over_bound<O, mae::eigen_products>(67, 97, 203, transposed) <= 1);
    // The bound is tight enough to miss a single term.
    CHECK(error_over_bound<O, mae::eigen_products>(67, 97, 203, transposed, 1) > 1);
  }
}

TEST_CASE_TEMPLATE("Eigen's product over nothing is zero", O, float, double, bfloat16) {
  operand_matrix<O> const a(13, 0, 1);
  operand_matrix<O> const b(0, 5, 1);
  auto const product = mae_test::multiply<O, mae::eigen_products>(a.view(), b.view(), false);
  CHECK(product.every_entry_came_once());
  CHECK(std::ranges::all_of(product.values, [](auto value) { return value == 0; }));
}

TEST_CASE("right operands of bfloat16 are rounded from float before they are multiplied") {
  using lane_type = mae::eigen_lane<bfloat16, mae::eigen_products>;
  operand_matrix<float> const b(19, 37, 8);
  lane_type const lane;
  std::vector<float> cells(static_cast<std::size_t>(lane_type::packed_cells(19, 37)));
  auto const packed = lane.pack(b.view(), cells.data()).transposed();
  std::vector<float> others(cells.size());
  auto const transposed = lane.pack_transposed(b.view(), others.data()).transposed();
  for (index_t row = 0; row < 19; ++row)
    for (index_t col = 0; col < 37; ++col) {
      auto const rounded = static_cast<float>(bfloat16(b.view()(row, col)));
      REQUIRE(packed(col, row) == rounded);
      REQUIRE(transposed(row, col) == rounded);
    }
}

TEST_CASE("a resume can tell whose products they are") {
  CHECK(mae::eigen_backend<float>(1).precision() == std::string("fp32"));
  CHECK(mae::eigen_backend<float, mae::eigen_products>(1).precision() ==
        std::string("fp32 by Eigen"));
  CHECK(mae::eigen_backend<bfloat16, mae::eigen_products>(1).precision() ==
        std::string("bf16 by Eigen"));
}
