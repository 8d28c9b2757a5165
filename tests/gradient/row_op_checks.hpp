#pragma once

#include "gradient_check.hpp"
#include "padded_matrix.hpp"
#include "prepared_linear.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/add.hpp>
#include <mae/op/cross_entropy.hpp>
#include <mae/op/gelu.hpp>
#include <mae/op/heat_map_loss.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/rectify.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mae_test {

struct layer_norm_shape {
  index_t rows;
  index_t width;
  double epsilon;
};

inline void check_layer_norm(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<layer_norm_shape, 3> shapes{{{1, 3, 1e-6}, {5, 17, 0.1}, {9, 20, 1e-6}}};
  auto const s = shapes[shape];
  auto random = stream_of(seed);
  padded_matrix<double> x(s.rows, s.width, random);
  padded_matrix<double> weight(1, s.width, random);
  padded_matrix<double> bias(1, s.width, random);
  padded_matrix<double> const y_grad(s.rows, s.width, random);
  padded_matrix<double> statistics(s.rows, 2, unset);
  mae::norm_weights<double const> const weights{weight.vector(), bias.vector()};
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(s.rows, s.width, unset);
    mae::layer_norm_forward(lane, x.view(), weights, s.epsilon, y.view(), statistics.view());
    return y;
  };
  forward();
  added_gradient x_grad(s.rows, s.width, random);
  added_gradient weight_grad(1, s.width, random);
  added_gradient bias_grad(1, s.width, random);
  mae::layer_norm_backward(lane,
                           x.view(),
                           weights,
                           statistics.view(),
                           y_grad.view(),
                           x_grad.view(),
                           {weight_grad.vector(), bias_grad.vector()});
  check_gradient("x", forward, y_grad, x.view(), x_grad.added());
  check_gradient("weight", forward, y_grad, weight.view(), weight_grad.added());
  check_gradient("bias", forward, y_grad, bias.view(), bias_grad.added());
}

struct row_shape {
  index_t rows;
  index_t width;
};

/// What a GELU gets, between a layer that changes nothing and one that does: of width * 2 values.
inline void check_gelu(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<row_shape, 3> shapes{{{1, 1}, {5, 7}, {13, 33}}};
  auto const s = shapes[shape];
  auto random = stream_of(seed);
  padded_matrix<double> x(s.rows, s.width, random);
  padded_matrix<double> identity(s.width, s.width);
  for (index_t i = 0; i < s.width; ++i) identity.view()(i, i) = 1;
  padded_matrix<double> const no_bias(1, 2 * s.width);
  padded_matrix<double> const weight(2 * s.width, s.width, random);
  padded_matrix<double> const y_grad(s.rows, 2 * s.width, random);
  using lane_type = mae::eigen_lane<double>;
  prepared_linear<lane_type> const before({identity.view(), no_bias.vector()});
  prepared_linear<lane_type> const behind({weight.view(), no_bias.vector()});
  lane_type const lane;
  padded_matrix<double> slope(s.rows, s.width, unset);
  auto const forward = [&] {
    padded_matrix<double> activated(s.rows, s.width, unset);
    padded_matrix<double> y(s.rows, 2 * s.width, unset);
    mae::linear_gelu_forward(lane, x.view(), before.operands(), activated.view(), slope.view());
    mae::linear_forward(lane, activated.view(), behind.operands(), y.view());
    return y;
  };
  forward();
  padded_matrix<double> grad(s.rows, s.width, unset);
  mae::gelu_linear_backward(lane, behind.operands(), y_grad.view(), slope.view(), grad.view());
  check_gradient("x", forward, y_grad, x.view(), grad);
}

/// The losses that a patch can have; a third of N(0, 2) errors lies within this beta.
inline constexpr std::array<mae::patch_loss, 3> patch_losses{
    {{.of = mae::patch_loss::kind::squared},
     {.of = mae::patch_loss::kind::l1},
     {.of = mae::patch_loss::kind::smooth_l1, .beta = 0.6}}};

/// The gradient is that of the sum of the losses: the cotangent is one.
inline void check_patch_loss(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<row_shape, 3> shapes{{{1, 1}, {4, 140}, {7, 18}}};
  auto const s = shapes[shape];
  auto random = stream_of(seed);
  padded_matrix<double> prediction(s.rows, s.width, random);
  padded_matrix<double> const target(s.rows, s.width, random);
  padded_matrix<double> const cotangent(1, s.rows, 1.0);
  padded_matrix<double> const weights(1, s.rows, random);
  mae::eigen_lane<double> const lane;
  for (auto const& loss : patch_losses) {
    auto const forward = [&] {
      padded_matrix<double> losses(1, s.rows, unset);
      mae::patch_loss_forward(lane, loss, prediction.view(), target.view(), losses.vector());
      return losses;
    };
    padded_matrix<double> grad(s.rows, s.width, unset);
    mae::patch_loss_backward(lane, loss, prediction.view(), target.view(), grad.view());
    check_gradient("prediction", forward, cotangent, prediction.view(), grad);
    mae::patch_loss_backward(
        lane, loss, prediction.view(), target.view(), grad.view(), weights.vector().data());
    check_gradient("weighed prediction", forward, weights, prediction.view(), grad);
  }
}

/// Likewise; the second label of each shape is ignored, where there is one.
inline void check_cross_entropy(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<row_shape, 3> shapes{{{1, 2}, {4, 140}, {7, 18}}};
  auto const s = shapes[shape];
  auto random = stream_of(seed);
  padded_matrix<double> logits(s.rows, s.width, random);
  std::vector<double> labels;
  for (index_t row = 0; row < s.rows; ++row)
    labels.push_back(row == 1 ? mae::ignored_label : static_cast<double>((5 * row) % s.width));
  std::vector<double> mixed;  // with the class after, or with itself
  for (double const label : labels)
    for (double const said : {label, label == 1 ? label : label / 2, 0.3})
      mixed.push_back(label < 0 ? label : std::floor(said));
  for (std::size_t i = 2; i < mixed.size(); i += 3) mixed[i] = 0.3;
  padded_matrix<double> const cotangent(1, s.rows, 1.0);
  mae::eigen_lane<double> const lane;
  auto const check = [&](double smoothing, mae::matrix_view<double const> wanted) {
    auto const forward = [&] {
      padded_matrix<double> losses(1, s.rows, unset);
      mae::cross_entropy_forward(lane, logits.view(), wanted, smoothing, losses.vector());
      return losses;
    };
    padded_matrix<double> grad(s.rows, s.width, unset);
    mae::cross_entropy_backward(lane, logits.view(), wanted, smoothing, grad.view());
    check_gradient("logits", forward, cotangent, logits.view(), grad);
  };
  check(0.0, {labels.data(), s.rows, 1});
  check(0.3, {labels.data(), s.rows, 1});
  check(0.3, {mixed.data(), s.rows, 3});
}

/// The gradient of y + x is y's for both.
inline void check_add_times(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<row_shape, 3> shapes{{{1, 1}, {4, 140}, {7, 18}}};
  auto const s = shapes[shape];
  auto random = stream_of(seed);
  double const factor = 0.3;
  padded_matrix<double> x(s.rows, s.width, random);
  padded_matrix<double> const y(s.rows, s.width, random);
  padded_matrix<double> const y_grad(s.rows, s.width, random);
  auto const forward = [&] {
    auto sum = y;
    mae::add_times(mae::eigen_lane<double>{}, &factor, x.view(), sum.view());
    return sum;
  };
  auto const x_grad = [&] {
    auto scaled = y_grad;
    for (index_t r = 0; r < s.rows; ++r)
      for (double& value : scaled.view().row(r)) value *= factor;
    return scaled;
  }();
  check_gradient("x", forward, y_grad, x.view(), x_grad);
}

/// Of values that are away from 0, where there is no derivative.
inline void check_rectify(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<row_shape, 3> shapes{{{2, 5}, {4, 140}, {7, 18}}};
  auto const s = shapes[shape];
  auto random = stream_of(seed);
  padded_matrix<double> x(s.rows, s.width, random);
  for (index_t row = 0; row < s.rows; ++row)
    for (double& value : x.view().row(row)) value += value < 0 ? -0.1 : 0.1;
  padded_matrix<double> const y_grad(s.rows, s.width, random);
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(s.rows, s.width, unset);
    mae::rectify_forward(lane, x.view(), y.view());
    return y;
  };
  padded_matrix<double> grad = y_grad;
  mae::rectify_backward(lane, x.view(), grad.view());
  check_gradient("x", forward, y_grad, x.view(), grad);
}

/// Two images, whose second has a point that does not count and one beside the map's corner.
inline void check_heat_map_loss(std::size_t shape, std::uint64_t seed) {
  mae::map_shape const map = std::array<mae::map_shape, 3>{{{2, 2}, {5, 7}, {8, 3}}}[shape];
  constexpr index_t points = 2;
  auto random = stream_of(seed);
  padded_matrix<double> maps(2 * map.size(), points, random);
  std::vector<double> const labels{0.7, 0.2, 1, 2.5, 0.5, 1, 0, 0, 0, 3.01, 1.4, 1};
  mae::matrix_view<double const> const wanted{labels.data(), 4, mae::heat_map_label_width};
  padded_matrix<double> const cotangent(1, 4, 1.0);
  mae::eigen_lane<double> const lane;
  for (double const sigma : {0.5, 2.0}) {
    auto const forward = [&] {
      padded_matrix<double> losses(1, 4, unset);
      mae::heat_map_loss_forward(lane, {map, sigma}, maps.view(), wanted, losses.vector());
      return losses;
    };
    padded_matrix<double> grad(2 * map.size(), points, unset);
    mae::heat_map_loss_backward(lane, {map, sigma}, maps.view(), wanted, grad.view());
    check_gradient("maps", forward, cotangent, maps.view(), grad);
  }
}

}  // namespace mae_test
