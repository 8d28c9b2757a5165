#pragma once

#include "gradient_check.hpp"
#include "padded_matrix.hpp"
#include "prepared_linear.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/input_gradients.hpp>
#include <mae/op/paint_patches.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mae_test {

struct input_shape {
  index_t rows;
  index_t in;
  index_t out;
};
inline constexpr std::array<input_shape, 3> input_shapes{{{2, 3, 2}, {5, 17, 9}, {9, 20, 11}}};

/// A layer norm, a linear layer behind it, and tokens placed in reverse order behind that, of which
/// one is shared: the input's gradient alone.
inline void check_input_gradients(std::size_t shape, std::uint64_t seed) {
  auto const s = input_shapes[shape];
  auto random = stream_of(seed);
  padded_matrix<double> x(s.rows, s.in, random);
  padded_matrix<double> const norm_weight(1, s.in, random);
  padded_matrix<double> const norm_bias(1, s.in, random);
  padded_matrix<double> const weight(s.out, s.in, random);
  padded_matrix<double> const bias(1, s.out, random);
  padded_matrix<double> const shared(1, s.out, random);
  padded_matrix<double> const positions(s.rows + 1, s.out, random);
  padded_matrix<double> const y_grad(s.rows + 1, s.out, random);
  padded_matrix<double> statistics(s.rows, 2, unset);
  std::vector<index_t> source{mae::token_sources::shared_token};
  std::vector<index_t> position{0};
  for (index_t i = 0; i < s.rows; ++i) {
    source.push_back(s.rows - 1 - i);
    position.push_back(i + 1);
  }
  mae::token_sources const from{source, position};
  mae::norm_weights<double const> const norm{norm_weight.vector(), norm_bias.vector()};
  prepared_linear<mae::eigen_lane<double>> const layer({weight.view(), bias.vector()});
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> normal(s.rows, s.in, unset);
    padded_matrix<double> embedded(s.rows, s.out, unset);
    padded_matrix<double> y(s.rows + 1, s.out, unset);
    mae::layer_norm_forward(lane, x.view(), norm, 1e-6, normal.view(), statistics.view());
    mae::linear_forward(lane, normal.view(), layer.operands(), embedded.view());
    mae::place_tokens_forward(
        lane, embedded.view(), shared.vector(), positions.view(), from, y.view());
    return y;
  };
  forward();
  padded_matrix<double> embedded_grad(s.rows, s.out, unset);
  padded_matrix<double> normal_grad(s.rows, s.in, unset);
  added_gradient x_grad(s.rows, s.in, random);
  mae::place_tokens_backward_input(lane, y_grad.view(), from, embedded_grad.view());
  mae::linear_backward_input(lane, layer.operands(), embedded_grad.view(), normal_grad.view());
  mae::layer_norm_backward_input(
      lane, x.view(), norm, statistics.view(), normal_grad.view(), x_grad.view());
  check_gradient("x", forward, y_grad, x.view(), x_grad.added());
}

/// Predictions painted over some patches, in the input's units and in those of each patch.
inline void check_paint_patches(std::size_t shape, std::uint64_t seed) {
  auto const s = input_shapes[shape];
  auto random = stream_of(seed);
  index_t const patches = s.rows + 2;
  padded_matrix<double> const truth(patches, s.in, random);
  padded_matrix<double> const before(patches, s.in, random);
  padded_matrix<double> const picture_grad(patches, s.in, random);
  padded_matrix<double> predictions(s.rows, s.in, random);
  std::vector<index_t> places;
  for (index_t i = 0; i < s.rows; ++i) places.push_back((i + 1) % patches);
  double const factor = 0.75;
  mae::eigen_lane<double> const lane;
  for (bool const are_of_patch : {false, true}) {
    mae::painted_units const units{.are_of_patch = are_of_patch, .epsilon = 0.01};
    auto const forward = [&] {
      auto picture = before;
      mae::paint_patches_forward(
          lane, truth.view(), units, places, predictions.view(), picture.view());
      for (index_t row = 0; row < patches; ++row)
        for (double& value : picture.view().row(row)) value *= factor;
      return picture;
    };
    added_gradient grad(s.rows, s.in, random);
    mae::paint_patches_backward(
        lane, truth.view(), units, places, picture_grad.view(), &factor, grad.view());
    check_gradient("predictions", forward, picture_grad, predictions.view(), grad.added());
  }
}

}  // namespace mae_test
