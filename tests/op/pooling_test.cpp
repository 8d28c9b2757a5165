#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/op/pooling.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace {

using mae::index_t;
using mae::pooling;
using mae_test::padded_matrix;

/// Three images of 3, 1 and 5 rows: the second shows no patch.
std::vector<index_t> const image_rows{0, 3, 4, 9};
constexpr index_t token_width = 7;

double mean_of(padded_matrix<double> const& tokens, index_t image, index_t col) {
  auto const at = static_cast<std::size_t>(image);
  index_t const patches = image_rows[at + 1] - image_rows[at] - 1;
  double sum = 0;
  for (index_t row = image_rows[at] + 1; row < image_rows[at + 1]; ++row) sum += tokens(row, col);
  return patches == 0 ? 0 : sum / static_cast<double>(patches);
}

}  // namespace

TEST_CASE("tokens are pooled as the class token, the mean of the patches', both, or the first") {
  auto random = mae_test::stream_of(4);
  padded_matrix<double> const tokens(9, token_width, random);
  mae::eigen_lane<double> const lane;
  for (auto const pool : {pooling::class_token, pooling::mean, pooling::both, pooling::first}) {
    padded_matrix<double> y(
        3, mae::pooled_width(pool, token_width), std::numeric_limits<double>::quiet_NaN());
    mae::pool_tokens_forward(lane, tokens.view(), image_rows, pool, y.view());
    for (index_t image = 0; image < 3; ++image)
      for (index_t col = 0; col < token_width; ++col) {
        auto const at = static_cast<std::size_t>(image);
        double const class_token = tokens(image_rows[at], col);
        double const mean = mean_of(tokens, image, col);
        bool const sees_one = image_rows[at + 1] > image_rows[at] + 1;
        double const expected = pool == pooling::mean    ? mean
                                : pool != pooling::first ? class_token
                                : sees_one               ? tokens(image_rows[at] + 1, col)
                                                         : 0.0;
        CHECK(y(image, col) == doctest::Approx(expected));
        if (pool == pooling::both)
          CHECK(y(image, token_width + col) == doctest::Approx(mean).epsilon(1e-12));
      }
    CHECK(y.gaps_are_intact());
  }
}

TEST_CASE("the gradient of pooling is its transpose: <y', P x> = <P^T y', x>") {
  auto random = mae_test::stream_of(5);
  padded_matrix<double> const tokens(9, token_width, random);
  mae::eigen_lane<double> const lane;
  auto const inner = [](padded_matrix<double> const& a, padded_matrix<double> const& b) {
    double sum = 0;
    for (index_t row = 0; row < a.view().rows; ++row)
      for (index_t col = 0; col < a.view().cols; ++col) sum += a(row, col) * b(row, col);
    return sum;
  };
  for (auto const pool : {pooling::class_token, pooling::mean, pooling::both, pooling::first}) {
    index_t const width = mae::pooled_width(pool, token_width);
    padded_matrix<double> const y_grad(3, width, random);
    padded_matrix<double> y(3, width);
    padded_matrix<double> grad(9, token_width, std::numeric_limits<double>::quiet_NaN());
    mae::pool_tokens_forward(lane, tokens.view(), image_rows, pool, y.view());
    mae::pool_tokens_backward(lane, y_grad.view(), image_rows, pool, grad.view());
    CHECK(inner(y, y_grad) == doctest::Approx(inner(grad, tokens)).epsilon(1e-12));
    CHECK(grad.gaps_are_intact());
  }
}
