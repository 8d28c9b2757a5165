#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/squared_error.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace {

using mae::index_t;
using mae_test::padded_matrix;

}  // namespace

TEST_CASE_TEMPLATE("the squared error is each row's mean", T, float, double) {
  for (index_t const width : {1, 5, 16, 140}) {
    auto random = mae_test::stream_of(9);
    padded_matrix<T> const prediction(4, width, random);
    padded_matrix<T> const target(4, width, random);
    padded_matrix<T> losses(1, 4, std::numeric_limits<T>::quiet_NaN());
    mae::squared_error_forward(
        mae::eigen_lane<T>{}, prediction.view(), target.view(), losses.vector());
    for (index_t row = 0; row < 4; ++row) {
      double expected = 0;
      for (index_t col = 0; col < width; ++col)
        expected += std::pow(static_cast<double>(prediction(row, col)) - target(row, col), 2) /
                    static_cast<double>(width);
      CHECK(losses(0, row) ==
            doctest::Approx(expected).epsilon(20 * std::numeric_limits<T>::epsilon()));
    }
    CHECK(losses.gaps_are_intact());
  }
}

TEST_CASE("the gradient may take the prediction's place") {
  auto random = mae_test::stream_of(10);
  padded_matrix<float> prediction(3, 21, random);
  padded_matrix<float> const target(3, 21, random);
  padded_matrix<float> grad(3, 21);
  mae::eigen_lane<float> const lane;
  mae::squared_error_backward(lane, prediction.view(), target.view(), grad.view());
  mae::squared_error_backward(lane, prediction.view(), target.view(), prediction.view());
  CHECK(mae_test::largest_difference(prediction, grad) == 0);
}
