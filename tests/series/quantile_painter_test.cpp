// A painter that learns quantiles.

#include "../head/network_of_heads.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/painter.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/series/quantile_painter.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace {

using mae::index_t;
using mae::quantile_levels;
using mae::quantile_painter;
using mae_test::network_of;
using mae_test::odd_config;

static_assert(mae::HeadOn<quantile_painter, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<quantile_painter, mae::eigen_lane<mae::bfloat16>>);
static_assert(mae::weighs_rows<mae::painter> && !mae::weighs_rows<quantile_painter>);

quantile_painter painter_of(std::vector<double> const& levels) {
  return quantile_painter::of(odd_config, mae_test::target_width, quantile_levels::of(levels));
}

TEST_CASE("R1: the quantile loss has the gradient of finite differences") {
  network_of<quantile_painter> network(painter_of({0.1, 0.5, 0.8}));
  mae_test::check_gradients(network);
}

TEST_CASE("the median's loss is the magnitude") {
  network_of<quantile_painter> quantile(painter_of({0.5}));
  auto magnitude = mae_test::a_painter();
  magnitude.loss = {.of = mae::patch_loss::kind::l1};
  network_of<mae::painter> painter(magnitude);
  CHECK(quantile.loss() == doctest::Approx(painter.loss()).epsilon(1e-14));
  auto const own = quantile.gradient();
  auto const other = painter.gradient();
  REQUIRE(own.size() == other.size());
  double largest = 0;
  for (std::size_t i = 0; i < own.size(); ++i)
    largest = std::max(largest, std::abs(own[i] - other[i]));
  CHECK(largest <= 1e-13);
}

TEST_CASE("the loss is twice the quantile loss, over levels and values") {
  mae::eigen_backend<double> const backend{1};
  auto const lane = backend.make_lane();
  std::vector<double> const said{1, 2, 4, 2};  // (levels, values)
  std::vector<double> const truth{3, 2};
  double loss = 0;
  std::vector<double> grad(4);
  auto const levels = quantile_levels::of({0.1, 0.9});
  lane.for_rows(1,
                mae::kernel::quantile_loss_row<double>{
                    {said.data(), 1, 4}, {truth.data(), 1, 2}, &loss, levels});
  CHECK(loss == doctest::Approx(2 * (0.1 * 2 + 0 + 0.1 * 1 + 0) / 4));
  lane.for_rows(1,
                mae::kernel::quantile_loss_row_grad<double>{
                    {said.data(), 1, 4}, {truth.data(), 1, 2}, {grad.data(), 1, 4}, levels});
  CHECK(grad[0] == doctest::Approx(-0.05));
  CHECK(grad[1] == 0);
  CHECK(grad[2] == doctest::Approx(0.05));
  CHECK(grad[3] == 0);
  auto const head = painter_of({0.1, 0.9});
  std::vector<double> const labels{2, -1, 0, 0, 0};
  CHECK(head.label_width() == 5);
  CHECK(head.loss_of_zero(mae::matrix_view<double const>(labels.data(), 1, 5)) ==
        doctest::Approx(2 * (2 * (0.1 + 0.9) + 1 * (0.9 + 0.1)) / 10));
}

TEST_CASE("levels that are none are refused") {
  CHECK_THROWS_AS(quantile_levels::of({0.9, 0.1}), mae::config_error);
  CHECK_THROWS_AS(quantile_levels::of({}), mae::config_error);
  CHECK_THROWS_AS(quantile_levels::of({0, 0.5}), mae::config_error);
  std::vector<double> many;
  for (int i = 1; i < 18; ++i) many.push_back(i / 20.0);
  CHECK_THROWS_AS(quantile_levels::of(many), mae::config_error);
  CHECK(quantile_levels::of({0.1, 0.5}).text() == "0.1,0.5");
}

}  // namespace
