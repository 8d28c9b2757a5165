#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/tokens.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::padded_matrix;

constexpr index_t shared = mae::token_sources::shared_token;
constexpr index_t width = 17;

}  // namespace

TEST_CASE_TEMPLATE("placed tokens are their source, or the shared token, plus their position",
                   T,
                   float,
                   double) {
  auto random = mae_test::stream_of(7);
  padded_matrix<T> const x(3, width, random);
  padded_matrix<T> const token(1, width, random);
  padded_matrix<T> const positions(5, width, random);
  // Two images: a shared token at the front of each, one in the middle, sources out of order.
  std::vector<index_t> const source{shared, 2, 0, shared, shared, 1};
  std::vector<index_t> const position{0, 3, 4, 2, 0, 3};
  padded_matrix<T> y(6, width, std::numeric_limits<T>::quiet_NaN());
  mae::place_tokens_forward(mae::eigen_lane<T>{},
                            x.view(),
                            token.vector(),
                            positions.view(),
                            {source, position},
                            y.view());
  for (std::size_t row = 0; row < source.size(); ++row)
    for (index_t col = 0; col < width; ++col) {
      T const value = source[row] == shared ? token(0, col) : x(source[row], col);
      REQUIRE(y(static_cast<index_t>(row), col) == value + positions(position[row], col));
    }
  CHECK(y.gaps_are_intact());
}

TEST_CASE("the shared token's gradient is added to, also where no row used it") {
  padded_matrix<double> const y_grad(2, 3, 5.0);
  std::vector<index_t> const position{0, 0};
  padded_matrix<double> x_grad(2, 3);
  padded_matrix<double> token_grad(1, 3, 1.0);
  mae::place_tokens_backward(mae::eigen_lane<double>{},
                             y_grad.view(),
                             {std::array<index_t, 2>{1, 0}, position},
                             x_grad.view(),
                             token_grad.vector());
  CHECK(token_grad(0, 2) == 1.0);
  mae::place_tokens_backward(mae::eigen_lane<double>{},
                             y_grad.view(),
                             {std::array<index_t, 2>{shared, shared}, position},
                             x_grad.view(),
                             token_grad.vector());
  CHECK(token_grad(0, 2) == 11.0);
}

TEST_CASE_TEMPLATE("gathered rows are copies, and their gradients go back", T, float, double) {
  auto random = mae_test::stream_of(8);
  padded_matrix<T> const x(5, width, random);
  std::vector<index_t> const from{4, 0, 2};
  padded_matrix<T> y(3, width, std::numeric_limits<T>::quiet_NaN());
  mae::gather_rows_forward(mae::eigen_lane<T>{}, x.view(), from, y.view());
  padded_matrix<T> x_grad(5, width, std::numeric_limits<T>::quiet_NaN());
  mae::gather_rows_backward(mae::eigen_lane<T>{}, std::as_const(y).view(), from, x_grad.view());
  for (index_t col = 0; col < width; ++col) {
    for (index_t row = 0; row < 3; ++row)
      REQUIRE(y(row, col) == x(from[static_cast<std::size_t>(row)], col));
    for (index_t const row : {0, 2, 4}) REQUIRE(x_grad(row, col) == x(row, col));
    for (index_t const row : {1, 3}) REQUIRE(x_grad(row, col) == 0);
  }
  CHECK(y.gaps_are_intact());
  CHECK(x_grad.gaps_are_intact());
}
