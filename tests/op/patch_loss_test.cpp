#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/patch_loss.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
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
    mae::patch_loss_forward(
        mae::eigen_lane<T>{}, {}, prediction.view(), target.view(), losses.vector());
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
  mae::patch_loss_backward(lane, {}, prediction.view(), target.view(), grad.view());
  mae::patch_loss_backward(lane, {}, prediction.view(), target.view(), prediction.view());
  CHECK(mae_test::largest_difference(prediction, grad) == 0);
}

TEST_CASE("l1 and smooth_l1 are PyTorch's") {
  padded_matrix<double> prediction(1, 3);
  for (index_t i = 0; i < 3; ++i)
    prediction.view()(0, i) = std::array{-1.15, 0.2, 0.0}[static_cast<std::size_t>(i)];
  padded_matrix<double> const target(1, 3);
  padded_matrix<double> losses(1, 1);
  padded_matrix<double> grad(1, 3);
  mae::eigen_lane<double> const lane;
  auto const check = [&](mae::patch_loss const& loss, std::array<double, 4> const& expected) {
    mae::patch_loss_forward(lane, loss, prediction.view(), target.view(), losses.vector());
    mae::patch_loss_backward(lane, loss, prediction.view(), target.view(), grad.view());
    CHECK(losses(0, 0) == doctest::Approx(expected[0] / 3));
    for (index_t i = 0; i < 3; ++i)
      CHECK(grad(0, i) == doctest::Approx(expected[static_cast<std::size_t>(i + 1)] / 3));
  };
  check({.of = mae::patch_loss::kind::l1}, {1.35, -1, 1, 0});
  check({.of = mae::patch_loss::kind::smooth_l1, .beta = 0.5}, {0.9 + 0.04, -1, 0.4, 0});
}

TEST_CASE("an error that is no number costs no number, and has no other slope") {
  padded_matrix<double> const prediction(1, 1, std::numeric_limits<double>::quiet_NaN());
  padded_matrix<double> const target(1, 1);
  mae::eigen_lane<double> const lane;
  for (auto const of : {mae::patch_loss::kind::squared,
                        mae::patch_loss::kind::l1,
                        mae::patch_loss::kind::smooth_l1}) {
    padded_matrix<double> losses(1, 1);
    padded_matrix<double> grad(1, 1);
    mae::patch_loss_forward(lane, {.of = of}, prediction.view(), target.view(), losses.vector());
    mae::patch_loss_backward(lane, {.of = of}, prediction.view(), target.view(), grad.view());
    CHECK(std::isnan(losses(0, 0)));
    CHECK(std::isnan(grad(0, 0)));
  }
}
