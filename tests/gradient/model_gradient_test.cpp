#include "gradient_check.hpp"
#include "padded_matrix.hpp"
#include "row_op_checks.hpp"
#include "small_model.hpp"

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae_test::padded_matrix;
using mae_test::small_model;

/// Targets whose loss has the given gradient at the prediction: 2 / W (p - t) = cotangent.
padded_matrix<double> targets_for(padded_matrix<double> const& prediction,
                                  padded_matrix<double> const& cotangent) {
  auto targets = prediction;
  auto const view = targets.view();
  for (index_t row = 0; row < view.rows; ++row)
    for (index_t col = 0; col < view.cols; ++col)
      view(row, col) -= 0.5 * static_cast<double>(view.cols) * cotangent(row, col);
  return targets;
}

double cost_of(mae::patch_loss const& loss, double error) {
  double const size = std::abs(error);
  if (loss.of == mae::patch_loss::kind::squared) return error * error;
  if (loss.of == mae::patch_loss::kind::l1) return size;
  return size < loss.beta ? error * error / (2 * loss.beta) : size - loss.beta / 2;
}

/// A tensor, or a third of it, in the flat block.
struct checked_piece {
  std::string name;
  index_t offset;
  index_t size;
  bool is_key_bias = false;
};

/// A key's bias moves all scores of a query alike, so that its gradient is zero: it is a piece of
/// its own. (The queries' and values' biases are not.)
std::vector<checked_piece> pieces_of(mae::tensor_spec const& tensor) {
  if (!tensor.name.ends_with("qkv.bias")) return {{tensor.name, tensor.offset, tensor.size()}};
  index_t const third = tensor.size() / 3;
  return {{tensor.name + " (query)", tensor.offset, third},
          {tensor.name + " (key)", tensor.offset + third, third, true},
          {tensor.name + " (value)", tensor.offset + 2 * third, third}};
}

/// The directions (K, size) along which a piece is differentiated: every entry of a small one, for
/// a large one K random directions, whose components sum over all entries.
padded_matrix<double> directions_of(checked_piece const& piece, mae::random_stream& random) {
  constexpr index_t most = 20;
  if (piece.size > most) return {most, piece.size, random};
  padded_matrix<double> unit(piece.size, piece.size);
  for (index_t i = 0; i < piece.size; ++i) unit.view()(i, i) = 1;
  return unit;
}

/// The derivative of the sum of cotangent * prediction along a direction, by central differences.
double derivative_along(small_model& model,
                        checked_piece const& piece,
                        std::span<double const> direction,
                        padded_matrix<double> const& cotangent) {
  auto const values = model.values(piece.offset, piece.size);
  std::vector<double> const kept(values.begin(), values.end());
  auto const predict_at = [&](double step) {
    for (std::size_t i = 0; i < kept.size(); ++i) values[i] = kept[i] + step * direction[i];
    return model.predict();
  };
  auto const above = predict_at(mae_test::difference_step);
  auto const below = predict_at(-mae_test::difference_step);
  std::ranges::copy(kept, values.begin());
  return mae_test::contracted_difference(cotangent, above, below) / (2 * mae_test::difference_step);
}

void check_piece(small_model& model,
                 checked_piece const& piece,
                 std::span<double const> gradient,
                 padded_matrix<double> const& cotangent) {
  auto const directions = directions_of(piece, model.random());
  index_t const count = directions.view().rows;
  padded_matrix<double> analytic(1, count);
  padded_matrix<double> numeric(1, count);
  for (index_t k = 0; k < count; ++k) {
    auto const direction = directions.view().row(k);
    analytic.view()(0, k) =
        std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0);
    numeric.view()(0, k) = derivative_along(model, piece, direction, cotangent);
  }
  CAPTURE(piece.name);
  if (piece.is_key_bias) {
    CHECK(mae_test::largest_difference(analytic, padded_matrix<double>(1, count)) <= 1e-10);
    CHECK(mae_test::largest_difference(analytic, numeric) <= mae_test::gradient_tolerance);
  } else {
    mae_test::check_close(piece.name, analytic.view(), numeric.view());
  }
}

/// What a backward pass adds to a flat array of random numbers.
std::vector<double> gradient_of(small_model& model, padded_matrix<double> const& targets) {
  std::vector<double> before(static_cast<std::size_t>(model.layout().size()));
  for (double& value : before) value = model.random().normal();
  std::vector<double> gradient = before;
  model.add_gradient(targets, gradient);
  for (std::size_t i = 0; i < before.size(); ++i) gradient[i] -= before[i];
  return gradient;
}

}  // namespace

TEST_CASE("R1: the gradients of a whole model equal central differences, mask fixed") {
  for (std::size_t shape = 0; shape < 3; ++shape)
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      CAPTURE(shape);
      CAPTURE(seed);
      auto const given = mae_test::model_case_of(shape);
      small_model model(given, seed);
      padded_matrix<double> const cotangent(
          model.num_targets(), given.target_width, model.random());
      auto const gradient = gradient_of(model, targets_for(model.predict(), cotangent));

      for (auto const& tensor : model.layout().tensors())
        for (auto const& piece : pieces_of(tensor)) {
          auto const part = std::span(gradient).subspan(static_cast<std::size_t>(piece.offset),
                                                        static_cast<std::size_t>(piece.size));
          if (tensor.kind == mae::tensor_kind::parameter)
            check_piece(model, piece, part, cotangent);
          else
            CHECK(std::ranges::count(part, 0.0) == piece.size);
        }
    }
}

TEST_CASE("R1: the loss is the sum of the targets' means, and falls along its gradient") {
  for (std::size_t shape = 0; shape < 3; ++shape)
    for (auto const& loss : mae_test::patch_losses) {
      CAPTURE(shape);
      CAPTURE(static_cast<int>(loss.of));
      auto const given = mae_test::model_case_of(shape);
      small_model model(given, 4, loss);
      padded_matrix<double> const targets(model.num_targets(), given.target_width, model.random());
      auto const prediction = model.predict();
      double expected = 0;
      for (index_t row = 0; row < model.num_targets(); ++row)
        for (index_t col = 0; col < given.target_width; ++col)
          expected += cost_of(loss, prediction(row, col) - targets(row, col)) /
                      static_cast<double>(given.target_width);
      CHECK(model.loss(targets) == doctest::Approx(expected).epsilon(1e-13));

      auto const gradient = gradient_of(model, targets);
      double const slope =
          std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0);
      double const step = mae_test::difference_step / std::sqrt(slope);
      auto const values = model.values(0, model.layout().size());
      auto const loss_at = [&](double along) {
        for (std::size_t i = 0; i < gradient.size(); ++i) values[i] += along * gradient[i];
        double const at = model.loss(targets);
        for (std::size_t i = 0; i < gradient.size(); ++i) values[i] -= along * gradient[i];
        return at;
      };
      CHECK((loss_at(step) - loss_at(-step)) / (2 * step) == doctest::Approx(slope).epsilon(1e-6));
    }
}

TEST_CASE("a batch's gradient is the sum of its shards', wherever it is cut") {
  auto const given = mae_test::model_case_of(0);
  small_model model(given, 5);
  padded_matrix<double> const targets(model.num_targets(), given.target_width, model.random());
  std::vector<double> whole(static_cast<std::size_t>(model.layout().size()));
  model.add_gradient(targets, whole);

  std::vector<double> pieces(whole.size());
  index_t first_target = 0;
  for (auto const [first, last] : std::array<std::array<index_t, 2>, 2>{{{0, 1}, {1, 3}}}) {
    model.use_images(first, last);
    padded_matrix<double> part(model.num_targets(), given.target_width);
    for (index_t row = 0; row < model.num_targets(); ++row)
      std::ranges::copy(targets.view().row(first_target + row), part.view().row(row).begin());
    model.add_gradient(part, pieces);
    first_target += model.num_targets();
  }
  matrix_view<double const> const expected(whole.data(), 1, std::ssize(whole));
  matrix_view<double const> const actual(pieces.data(), 1, std::ssize(pieces));
  CHECK(mae_test::largest_difference(actual, expected) <= 1e-10);
}
