#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/op/set_zero.hpp>

#include <doctest/doctest.h>

#include <limits>

TEST_CASE_TEMPLATE("set_zero clears every entry, NaN too, and nothing between rows",
                   T,
                   float,
                   double) {
  mae_test::padded_matrix<T> y(3, 17, std::numeric_limits<T>::quiet_NaN());
  mae::set_zero(mae::eigen_lane<T>{}, y.view());
  CHECK(mae_test::largest_difference(y, mae_test::padded_matrix<T>(3, 17)) == 0);
  CHECK(y.gaps_are_intact());
}
