#include "padded_matrix.hpp"
#include "prepared_linear.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/linear.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <utility>

namespace {

using mae::index_t;
using mae_test::padded_matrix;

/// A layer from 20 to 33 values on 7 rows.
template <class T>
struct layer_case {
  mae::random_stream random = mae_test::stream_of(1);
  padded_matrix<T> x{7, 20, random};
  padded_matrix<T> weight{33, 20, random};
  padded_matrix<T> bias{1, 33, random};
  padded_matrix<T> residual{7, 33, random};

  mae_test::prepared_linear<mae::eigen_lane<T>> weights{
      mae::linear_weights<T const>{weight.view(), bias.vector()}};

  /// By a plain loop, in double.
  padded_matrix<T> expected(bool with_residual) const {
    padded_matrix<T> y(7, 33);
    for (index_t row = 0; row < 7; ++row)
      for (index_t out = 0; out < 33; ++out) {
        double sum = bias(0, out);
        if (with_residual) sum += residual(row, out);
        for (index_t in = 0; in < 20; ++in)
          sum += static_cast<double>(x(row, in)) * static_cast<double>(weight(out, in));
        y.view()(row, out) = static_cast<T>(sum);
      }
    return y;
  }
};

/// The sums have 22 terms of about one.
template <class T>
constexpr double tolerance = 100 * std::numeric_limits<T>::epsilon();

}  // namespace

TEST_CASE_TEMPLATE("linear is x W^T + b", T, float, double) {
  layer_case<T> const layer;
  padded_matrix<T> y(7, 33, std::numeric_limits<T>::quiet_NaN());
  mae::linear_forward(mae::eigen_lane<T>{}, layer.x.view(), layer.weights.operands(), y.view());
  CHECK(mae_test::largest_difference(y, layer.expected(false)) <= tolerance<T>);
  CHECK(y.gaps_are_intact());
}

TEST_CASE_TEMPLATE("linear_residual adds the residual, which may be its result", T, float, double) {
  layer_case<T> layer;
  mae::eigen_lane<T> const lane;
  auto const expected = layer.expected(true);
  padded_matrix<T> y(7, 33, std::numeric_limits<T>::quiet_NaN());
  mae::linear_residual_forward(
      lane, layer.x.view(), layer.weights.operands(), layer.residual.view(), y.view());
  CHECK(mae_test::largest_difference(y, expected) <= tolerance<T>);
  CHECK(y.gaps_are_intact());

  mae::linear_residual_forward(
      lane, layer.x.view(), layer.weights.operands(), layer.residual.view(), layer.residual.view());
  CHECK(mae_test::largest_difference(layer.residual, y) == 0);
}

TEST_CASE_TEMPLATE("rows do not depend on the shard that they are in", T, float, double) {
  layer_case<T> const layer;
  mae::eigen_lane<T> const lane;
  padded_matrix<T> pieces(7, 33);
  for (auto const& [first, count] : {std::pair<index_t, index_t>{0, 3}, {3, 1}, {4, 0}, {4, 3}})
    mae::linear_forward(lane,
                        layer.x.view().middle_rows(first, count),
                        layer.weights.operands(),
                        pieces.view().middle_rows(first, count));
  CHECK(mae_test::largest_difference(pieces, layer.expected(false)) <= tolerance<T>);
}
