#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/adamw.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace {

using mae::index_t;

constexpr double learning_rate = 1e-2;
constexpr double weight_decay = 0.05;
constexpr double beta1 = 0.9;
constexpr double beta2 = 0.95;
constexpr double epsilon = 1e-8;
constexpr double gradient_scale = 0.25;

/// One parameter through Algorithm 2 of the paper as PyTorch writes it, with the bias corrections
/// spelled out; in double.
struct plain_adamw {
  double value;
  double first = 0;
  double second = 0;

  void step(double gradient, int t) {
    gradient *= gradient_scale;
    value -= learning_rate * weight_decay * value;
    first = beta1 * first + (1 - beta1) * gradient;
    second = beta2 * second + (1 - beta2) * gradient * gradient;
    double const first_hat = first / (1 - std::pow(beta1, t));
    double const second_hat = second / (1 - std::pow(beta2, t));
    value -= learning_rate * first_hat / (std::sqrt(second_hat) + epsilon);
  }
};

template <class T>
mae::adamw_factors<T> factors_of_step(int t) {
  return {.beta1 = T(beta1),
          .beta2 = T(beta2),
          .epsilon = T(epsilon),
          .gradient_scale = T(gradient_scale),
          .decay = T(1 - learning_rate * weight_decay),
          .step_size = T(learning_rate / (1 - std::pow(beta1, t))),
          .second_correction = T(1 / std::sqrt(1 - std::pow(beta2, t)))};
}

}  // namespace

TEST_CASE_TEMPLATE("AdamW follows its algorithm for ten steps", T, float, double) {
  constexpr index_t count = 37;
  auto random = mae_test::stream_of(11);
  std::vector<T> values;
  std::vector<plain_adamw> expected;
  for (index_t i = 0; i < count; ++i) {
    values.push_back(static_cast<T>(random.normal()));
    expected.push_back({static_cast<double>(values.back())});
  }
  std::vector<T> first(count);
  std::vector<T> second(count);
  std::vector<T> gradient(count);
  for (int t = 1; t <= 10; ++t) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      gradient[i] = static_cast<T>(random.normal());
      expected[i].step(gradient[i], t);
    }
    mae::adamw_step(mae::eigen_lane<T>{},
                    count,
                    values.data(),
                    first.data(),
                    second.data(),
                    gradient.data(),
                    factors_of_step<T>(t));
  }
  double const tolerance = 50 * std::numeric_limits<T>::epsilon();
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(std::abs(values[i] - expected[i].value) <= tolerance);
    CHECK(std::abs(first[i] - expected[i].first) <= tolerance);
    CHECK(std::abs(second[i] - expected[i].second) <= tolerance);
  }
}

TEST_CASE("a zero gradient leaves a value that does not decay") {
  double value = 3;
  double first = 0;
  double second = 0;
  double const gradient = 0;
  auto factors = factors_of_step<double>(1);
  factors.decay = 1;
  mae::adamw_step(mae::eigen_lane<double>{}, 1, &value, &first, &second, &gradient, factors);
  CHECK(value == 3);
}
