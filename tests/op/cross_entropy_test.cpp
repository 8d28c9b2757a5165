#include "cross_entropy_reference.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/cross_entropy.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace {

namespace reference = cross_entropy_reference;

using mae::index_t;
using mae_test::padded_matrix;

constexpr index_t rows = std::ssize(reference::labels);
constexpr index_t classes = std::ssize(reference::logits) / rows;

template <class T>
padded_matrix<T> reference_logits(T shift = 0) {
  padded_matrix<T> logits(rows, classes);
  for (index_t row = 0; row < rows; ++row)
    for (index_t col = 0; col < classes; ++col)
      logits.view()(row, col) =
          static_cast<T>(reference::logits[static_cast<std::size_t>(row * classes + col)]) + shift;
  return logits;
}

template <class T>
std::array<T, rows> reference_labels() {
  std::array<T, rows> labels{};
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<T>(reference::labels[i]);
  return labels;
}

template <class T>
void check(padded_matrix<T> logits,
           double smoothing,
           std::span<double const> losses,
           std::span<double const> gradient) {
  double const most = 50 * static_cast<double>(std::numeric_limits<T>::epsilon());
  auto const labels = reference_labels<T>();
  mae::matrix_view<T const> const wanted{labels.data(), rows, 1};
  mae::eigen_lane<T> const lane;
  padded_matrix<T> found(1, rows, std::numeric_limits<T>::quiet_NaN());
  padded_matrix<T> grad(rows, classes, std::numeric_limits<T>::quiet_NaN());
  mae::cross_entropy_forward(lane, logits.view(), wanted, smoothing, found.vector());
  mae::cross_entropy_backward(lane, logits.view(), wanted, smoothing, grad.view());
  mae::cross_entropy_backward(lane, logits.view(), wanted, smoothing, logits.view());
  for (index_t row = 0; row < rows; ++row) {
    CHECK(found(0, row) == doctest::Approx(losses[static_cast<std::size_t>(row)]).epsilon(most));
    for (index_t col = 0; col < classes; ++col)
      CHECK(std::abs(static_cast<double>(grad(row, col)) -
                     gradient[static_cast<std::size_t>(row * classes + col)]) <= most);
  }
  CHECK(mae_test::largest_difference(logits, grad) == 0);
  CHECK(found.gaps_are_intact());
  CHECK(grad.gaps_are_intact());
}

}  // namespace

TEST_CASE_TEMPLATE("cross entropy is PyTorch's, with an ignored label and smoothing",
                   T,
                   float,
                   double) {
  check<T>(reference_logits<T>(), 0.0, reference::plain_losses, reference::plain_grad);
  check<T>(reference_logits<T>(), 0.1, reference::smoothed_losses, reference::smoothed_grad);
}

TEST_CASE("scores far from 0 neither overflow nor lose the classes' differences") {
  check<double>(
      reference_logits(1000.0), 0.1, reference::smoothed_losses, reference::smoothed_grad);
}

TEST_CASE("the gradient of cross entropy is its difference quotient, also for large scores") {
  mae::eigen_lane<float> const lane;
  float const label = 1;
  std::array<float, 4> const logits{1.5F, -0.5F, 3.0F, 0.25F};
  auto const loss = [&](std::array<float, 4> const& values) {
    float found = 0;
    mae::cross_entropy_forward(lane, {values.data(), 1, 4}, {&label, 1, 1}, 0, {&found, 1});
    return found;
  };
  auto gradient = logits;
  mae::cross_entropy_backward(
      lane, {logits.data(), 1, 4}, {&label, 1, 1}, 0, {gradient.data(), 1, 4});
  for (std::size_t i = 0; i < 4; ++i) {
    auto above = logits;
    auto below = logits;
    above[i] += 0.0078125F;
    below[i] -= 0.0078125F;
    CHECK(gradient[i] == doctest::Approx((loss(above) - loss(below)) / 0.015625).epsilon(1e-3));
  }
  float const first = 0;
  std::array<float, 2> large{-1000.0F, 1000.0F};
  float found = 0;
  mae::cross_entropy_forward(lane, {large.data(), 1, 2}, {&first, 1, 1}, 0, {&found, 1});
  CHECK(found == 2000);
  mae::cross_entropy_backward(lane, {large.data(), 1, 2}, {&first, 1, 1}, 0, {large.data(), 1, 2});
  CHECK(large == std::array<float, 2>{-1.0F, 1.0F});
}

TEST_CASE_TEMPLATE("the loss of a mixture of two classes is the mixture of their losses",
                   T,
                   float,
                   double) {
  auto const logits = reference_logits<T>();
  auto const labels = reference_labels<T>();
  constexpr std::array<T, rows> others{5, -1, 0, 7};
  mae::eigen_lane<T> const lane;
  auto const of = [&](std::array<T, rows> const& first, T share) {
    padded_matrix<T> said(rows, 3);
    for (index_t row = 0; row < rows; ++row) {
      said.view()(row, 0) = first[static_cast<std::size_t>(row)];
      said.view()(row, 1) = others[static_cast<std::size_t>(row)];
      said.view()(row, 2) = share;
    }
    padded_matrix<T> all(rows + 1, classes, std::numeric_limits<T>::quiet_NaN());
    padded_matrix<T> losses(1, rows, std::numeric_limits<T>::quiet_NaN());
    mae::cross_entropy_forward(lane, logits.view(), said.view(), 0.1, losses.vector());
    mae::cross_entropy_backward(
        lane, logits.view(), said.view(), 0.1, all.view().middle_rows(0, rows));
    for (index_t row = 0; row < rows; ++row) all.view()(rows, row) = losses(0, row);
    return all;
  };
  auto const first = of(labels, 0);
  auto const second = of(others, 0);
  auto const mixed = of(labels, T{0.25});
  double const most = 20 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (index_t row = 0; row < rows + 1; ++row)
    for (index_t col = 0; col < (row < rows ? classes : rows); ++col) {
      double const expected = 0.75 * static_cast<double>(first(row, col)) +
                              0.25 * static_cast<double>(second(row, col));
      CHECK(std::abs(static_cast<double>(mixed(row, col)) - expected) <= 10 * most);
    }
  CHECK(mixed(rows, 1) == T{0});
  // Without a share of another, the same bits as without another.
  padded_matrix<T> plain(1, rows);
  mae::matrix_view<T const> const wanted{labels.data(), rows, 1};
  mae::cross_entropy_forward(lane, logits.view(), wanted, 0.1, plain.vector());
  for (index_t row = 0; row < rows; ++row) CHECK(plain(0, row) == first(rows, row));
}
