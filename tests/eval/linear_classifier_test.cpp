#include "eval_sets.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/linear_classifier.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using classifier = mae::linear_classifier<mae::eigen_lane<float>>;

template <class Values, class Expected>
void check_close(Values const& values, Expected const& expected) {
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(std::abs(values[i] - expected[i]) <= 2e-6 * (1.0 + std::abs(expected[i])));
}

}  // namespace

TEST_CASE("fifteen steps are PyTorch's: batch norm, cross-entropy, momentum, schedule") {
  constexpr index_t batch = 20;
  constexpr std::size_t steps = 15;
  mae::thread_pool threads(2);
  auto const train = eval_sets::reference_train();
  classifier probe(eval_sets::reference_features, eval_sets::reference_classes, batch);
  std::vector<mae::image_index> rows(batch);
  std::vector<double> losses;
  for (std::size_t step = 0; step < steps; ++step) {
    std::iota(rows.begin(), rows.end(), static_cast<mae::image_index>(step % 3 * batch));
    double const cosine =
        0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(step) / steps);
    losses.push_back(probe.train(train, rows, {0.1 * cosine, 0.9}, threads));
  }
  check_close(losses, eval_reference::probe_losses);
  auto const weights = probe.weights();
  check_close(std::span(weights.weight.data, 18), eval_reference::probe_weight);
  check_close(weights.bias, eval_reference::probe_bias);
  check_close(probe.norm().running_mean(), eval_reference::running_mean);
  check_close(probe.norm().running_variance(), eval_reference::running_variance);
  CHECK(probe.accuracy(eval_sets::reference_test(), threads) ==
        doctest::Approx(eval_reference::probe_top1));
}

TEST_CASE("the gradient of cross-entropy is its difference quotient, also for large logits") {
  std::array<float, 4> const logits{1.5F, -0.5F, 3.0F, 0.25F};
  auto const loss = [](std::array<float, 4> values) {
    return mae::cross_entropy_with_gradient(values, 1);
  };
  auto gradient = logits;
  mae::cross_entropy_with_gradient(gradient, 1);
  for (std::size_t i = 0; i < 4; ++i) {
    auto above = logits;
    auto below = logits;
    above[i] += 0.0078125F;
    below[i] -= 0.0078125F;
    CHECK(gradient[i] == doctest::Approx((loss(above) - loss(below)) / 0.015625).epsilon(1e-3));
  }
  std::array<float, 2> large{-1000.0F, 1000.0F};
  CHECK(mae::cross_entropy_with_gradient(large, 0) == 2000.0);
  CHECK(large == std::array<float, 2>{-1.0F, 1.0F});
}

TEST_CASE("accuracy counts the images whose own class is chosen, a tie for the lower class") {
  mae::thread_pool threads(1);
  classifier const untrained(eval_sets::reference_features, eval_sets::reference_classes, 2);
  CHECK(untrained.accuracy(eval_sets::reference_train(), threads) == doctest::Approx(1.0 / 3.0));
}
