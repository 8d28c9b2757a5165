#include "eval_sets.hpp"

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_classifier.hpp>
#include <mae/eval/linear_probe.hpp>
#include <mae/optimizer/sgd.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <span>
#include <vector>

namespace {

using mae::index_t;

template <class Values, class Expected>
void check_close(Values const& values, Expected const& expected, double tolerance) {
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(std::abs(values[i] - expected[i]) <= tolerance * (1.0 + std::abs(expected[i])));
}

/// Fifteen steps over three batches in turn, half a cosine from 0.1 to 0, against PyTorch's.
template <mae::Backend B>
void check_fifteen_steps(B const& backend, double tolerance) {
  constexpr index_t batch = 20;
  constexpr std::size_t steps = 15;
  auto const train = eval_sets::reference_train();
  mae::linear_classifier<B> probe(eval_sets::reference_features,
                                  eval_sets::reference_classes,
                                  batch,
                                  mae::sgd{.momentum = 0.9},
                                  backend);
  std::vector<mae::image_index> rows(batch);
  std::vector<double> losses;
  for (std::size_t step = 0; step < steps; ++step) {
    std::iota(rows.begin(), rows.end(), static_cast<mae::image_index>(step % 3 * batch));
    double const cosine =
        0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(step) / steps);
    losses.push_back(probe.train(train, rows, 0.1 * cosine));
  }
  check_close(losses, eval_reference::probe_losses, tolerance);
  auto const weights = probe.weights();
  check_close(std::span(weights.weight.data, 18), eval_reference::probe_weight, tolerance);
  check_close(weights.bias, eval_reference::probe_bias, tolerance);
  check_close(probe.norm().running_mean(), eval_reference::running_mean, 2e-6);
  check_close(probe.norm().running_variance(), eval_reference::running_variance, 2e-6);
  CHECK(probe.accuracy(eval_sets::reference_test()) == doctest::Approx(eval_reference::probe_top1));
}

/// What a training leaves behind.
struct outcome {
  std::vector<float> weights = {};
  std::vector<double> losses = {};
  double top1 = 0;

  bool is(outcome const& other) const {
    return weights == other.weights && losses == other.losses && top1 == other.top1;
  }
};

/// Five steps over images of 7 classes, in batches of 610: more than one piece, the last not whole.
outcome trained(mae::labelled_features const& images, int threads) {
  constexpr index_t batch = 610;
  mae::linear_classifier probe(
      images.features.cols, 7, batch, mae::sgd{}, mae::eigen_backend<float>(threads));
  mae::random_stream random({.seed = 4, .use = mae::purpose::probe});
  probe.initialise(random);
  std::vector<mae::image_index> rows(batch);
  std::iota(rows.begin(), rows.end(), 300);
  outcome found;
  for (int step = 0; step < 5; ++step) found.losses.push_back(probe.train(images, rows, 0.1));
  found.weights.assign(probe.values().begin(), probe.values().end());
  found.top1 = probe.accuracy(images);
  return found;
}

}  // namespace

TEST_CASE("fifteen steps are PyTorch's: batch norm, cross-entropy, momentum, schedule") {
  SUBCASE("fp32") {
    check_fifteen_steps(mae::eigen_backend<float>(2), 2e-6);
  }
  SUBCASE("fp64") {
    check_fifteen_steps(mae::eigen_backend<double>(2), 2e-6);
  }
  SUBCASE("bf16, whose products have 8 bits") {
    check_fifteen_steps(mae::eigen_backend<mae::bfloat16>(2), 1e-2);
  }
}

TEST_CASE("the number of threads changes no bit of a training") {
  eval_sets::cloud_set const images(1200, 150, 7, 1.0, 1);
  auto const one = trained(images.view, 1);
  CHECK(one.losses.back() < one.losses.front());
  for (int const threads : {2, 3, 8}) CHECK(trained(images.view, threads).is(one));
}

TEST_CASE("a probe in double and in bf16 names within 0.5% as many classes as one in float") {
  eval_sets::cloud_set const train(1500, 16, 4, 0.7, 1);
  eval_sets::cloud_set const test(1000, 16, 4, 0.7, 2);
  auto const top1 = [&](auto const& backend) {
    return mae::linear_probe(backend, train.view, test.view, 4, {.epochs = 8, .batch = 128}).top1;
  };
  double const expected = top1(mae::eigen_backend<float>(2));
  CHECK(expected > 0.85);
  CHECK(expected < 0.99);
  CHECK(std::abs(top1(mae::eigen_backend<double>(2)) - expected) <= 0.005);
  CHECK(std::abs(top1(mae::eigen_backend<mae::bfloat16>(2)) - expected) <= 0.005);
}

TEST_CASE("accuracy counts the images whose own class is chosen, a tie for the lower class") {
  mae::linear_classifier untrained(eval_sets::reference_features,
                                   eval_sets::reference_classes,
                                   2,
                                   mae::sgd{},
                                   mae::eigen_backend<float>(1));
  CHECK(untrained.accuracy(eval_sets::reference_train()) == doctest::Approx(1.0 / 3.0));
}
