#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/model/layout.hpp>
#include <mae/train/adamw.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using backend_type = mae::eigen_backend<double>;

constexpr mae::adamw_options options{
    .beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .weight_decay = 0.5};

/// One tensor of each kind; the weight is larger than what one core takes at once.
mae::parameter_layout make_layout() {
  mae::parameter_layout layout;
  layout.add_linear("linear", 150, 123);
  layout.add_token("token", 10);
  layout.add_positions("positions", 3, 5);
  layout.add_norm("norm", 7);
  return layout;
}

std::vector<double> random_values(index_t size, std::uint64_t index) {
  mae::random_stream random({.use = mae::purpose::probe, .index = index});
  std::vector<double> values(static_cast<std::size_t>(size));
  for (double& value : values) value = random.normal();
  return values;
}

/// AdamW as Loshchilov and Hutter write it, on one value.
struct plain_adamw {
  double value;
  double m = 0;
  double v = 0;
  int t = 0;

  void step(double gradient, double lr, double decay) {
    ++t;
    value -= lr * decay * value;
    m = options.beta1 * m + (1 - options.beta1) * gradient;
    v = options.beta2 * v + (1 - options.beta2) * gradient * gradient;
    double const m_hat = m / (1 - std::pow(options.beta1, t));
    double const v_hat = v / (1 - std::pow(options.beta2, t));
    value -= lr * m_hat / (std::sqrt(v_hat) + options.epsilon);
  }
};

}  // namespace

TEST_CASE("AdamW decays matrices and tokens alone, and leaves buffers as they are") {
  auto const layout = make_layout();
  auto const start = random_values(layout.size(), 0);
  auto values = start;
  mae::adamw<backend_type> optimizer(layout, options, backend_type(3));
  std::vector<plain_adamw> expected;
  for (double const value : values) expected.push_back({.value = value});

  for (int step = 1; step <= 5; ++step) {
    auto const gradients = random_values(layout.size(), static_cast<std::uint64_t>(step));
    double const lr = 0.01 * step;
    optimizer.step(values, gradients, lr, 0.25);
    for (auto const& tensor : layout.tensors()) {
      bool const is_buffer = tensor.name == "positions";
      bool const decays = tensor.name == "linear.weight" || tensor.name == "token";
      for (index_t k = tensor.offset; k < tensor.offset + tensor.size(); ++k) {
        auto const i = static_cast<std::size_t>(k);
        if (!is_buffer)
          expected[i].step(0.25 * gradients[i], lr, decays ? options.weight_decay : 0.0);
        REQUIRE(values[i] == doctest::Approx(expected[i].value).epsilon(1e-12));
        REQUIRE(optimizer.first_moments()[i] == doctest::Approx(expected[i].m).epsilon(1e-12));
        REQUIRE(optimizer.second_moments()[i] == doctest::Approx(expected[i].v).epsilon(1e-12));
      }
    }
  }
  CHECK(optimizer.steps() == 5);
  auto const& positions = layout.find("positions");
  for (index_t i = positions.offset; i < positions.offset + positions.size(); ++i)
    CHECK(values[static_cast<std::size_t>(i)] == start[static_cast<std::size_t>(i)]);
}

TEST_CASE("a learning rate of 0 changes no value but the moments") {
  auto const layout = make_layout();
  auto values = random_values(layout.size(), 0);
  auto const start = values;
  mae::adamw<backend_type> optimizer(layout, options, backend_type(1));
  optimizer.step(values, random_values(layout.size(), 1), 0.0, 1.0);
  CHECK(values == start);
  CHECK(optimizer.first_moments()[0] != 0);
  CHECK(optimizer.second_moments()[0] != 0);
}

TEST_CASE("an optimizer that is given moments and steps continues as the first would have") {
  auto const layout = make_layout();
  auto const gradients = random_values(layout.size(), 1);
  auto values = random_values(layout.size(), 0);
  mae::adamw<backend_type> first(layout, options, backend_type(1));
  first.step(values, gradients, 0.1, 1.0);

  auto resumed_values = values;
  mae::adamw<backend_type> resumed(layout, options, backend_type(2));
  resumed.resume(first.steps(), first.first_moments(), first.second_moments());
  first.step(values, gradients, 0.1, 1.0);
  resumed.step(resumed_values, gradients, 0.1, 1.0);
  CHECK(values == resumed_values);
  CHECK(resumed.steps() == 2);
}
