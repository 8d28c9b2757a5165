#include "rule_archetype.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/lion.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/optimizer/with_average.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using backend_type = mae::eigen_backend<double>;

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

}  // namespace

TEST_CASE("matrices and tokens alone decay, and buffers are left as they are") {
  auto const layout = make_layout();
  auto const start = random_values(layout.size(), 0);
  auto values = start;
  mae::optimizer optimizer(layout, mae_test::rule_archetype{.rate = 0.5}, backend_type(3));
  std::vector<double> expected = start;
  for (int step = 1; step <= 3; ++step) {
    auto const gradients = random_values(layout.size(), static_cast<std::uint64_t>(step));
    optimizer.step(values, gradients, 0.01 * step, 0.25);
    for (auto const& tensor : layout.tensors()) {
      if (tensor.name == "positions") continue;
      bool const decays = tensor.name == "linear.weight" || tensor.name == "token";
      for (index_t k = tensor.offset; k < tensor.offset + tensor.size(); ++k) {
        auto const i = static_cast<std::size_t>(k);
        double const moved = 0.01 * step * 0.25 * gradients[i];
        expected[i] = expected[i] * (decays ? 0.5 : 1.0) - moved;
        REQUIRE(values[i] == doctest::Approx(expected[i]).epsilon(1e-14));
        REQUIRE(optimizer.state("steps")[i] == step);
      }
    }
  }
  CHECK(optimizer.steps() == 3);
  auto const& positions = layout.find("positions");
  for (index_t i = positions.offset; i < positions.offset + positions.size(); ++i)
    CHECK(values[static_cast<std::size_t>(i)] == start[static_cast<std::size_t>(i)]);
}

TEST_CASE("what is nearer to the pixels changes less, and tokens decay only if asked to") {
  mae::parameter_layout layout;
  layout.add_token("token", 10);
  layout.add_positions("positions", 3, 5);
  layout.set_depth(1);
  layout.add_linear("first", 150, 123);
  layout.set_depth(2);
  layout.add_norm("norm", 7);
  layout.begin("head");
  layout.set_depth(9);  // of an encoder alone
  layout.add_linear("head", 3, 20);
  auto const start = random_values(layout.size(), 0);
  auto const gradients = random_values(layout.size(), 1);
  for (bool const tokens_decay : {true, false}) {
    auto values = start;
    mae::optimizer optimizer(layout,
                             mae_test::rule_archetype{.rate = 0.5},
                             backend_type(3),
                             {.layer_decay = 0.7, .tokens_decay = tokens_decay});
    optimizer.step(values, gradients, 0.1, 0.25);
    auto expected = start;
    for (auto const& tensor : layout.tensors()) {
      if (tensor.name == "positions") continue;
      double const rate = tensor.name == "token"          ? 0.7 * 0.7
                          : tensor.name.starts_with("fi") ? 0.7
                                                          : 1;
      bool const decays = tensor.name == "token"
                              ? tokens_decay
                              : tensor.name.ends_with("weight") && tensor.shape.size() == 2;
      for (index_t k = tensor.offset; k < tensor.offset + tensor.size(); ++k) {
        auto const i = static_cast<std::size_t>(k);
        expected[i] = start[i] * (decays ? 0.5 : 1) - 0.1 * rate * 0.25 * gradients[i];
        REQUIRE(values[i] == doctest::Approx(expected[i]).epsilon(1e-14));
      }
    }
    for (index_t i = layout.find("positions").offset; i < layout.find("first.weight").offset; ++i)
      CHECK(values[static_cast<std::size_t>(i)] == start[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("an encoder is frozen up to a depth; the rest changes as ever") {
  mae::parameter_layout layout;
  layout.add_token("token", 10);
  layout.set_depth(1);
  layout.add_linear("first", 20, 12);
  layout.set_depth(2);
  layout.add_norm("norm", 7);
  layout.begin("head");
  layout.add_linear("head", 3, 20);
  auto const start = random_values(layout.size(), 0);
  auto const stepped = [&](index_t frozen, double from = 0, double progress = 0) {
    auto values = start;
    mae::optimizer optimizer(
        layout, mae::adamw{}, backend_type(2), {.frozen = frozen, .frozen_from = from});
    optimizer.step(values, random_values(layout.size(), 1), 0.1, 0.25, progress);
    return values;
  };
  auto const free = stepped(0);
  for (index_t const frozen : {index_t{1}, index_t{2}, mae::whole_encoder}) {
    auto const values = stepped(frozen);
    CHECK(stepped(frozen, 0.5, 0.4) == free);
    CHECK(stepped(frozen, 0.5, 0.5) == values);
    for (auto const& tensor : layout.tensors()) {
      bool const stays = tensor.segment != "head" && tensor.depth < frozen;
      for (index_t k = tensor.offset; k < tensor.offset + tensor.size(); ++k) {
        auto const i = static_cast<std::size_t>(k);
        REQUIRE(values[i] == (stays ? start : free)[i]);
        REQUIRE(free[i] != start[i]);
      }
    }
  }
  CHECK_THROWS_AS(stepped(-1), mae::config_error);
  CHECK_THROWS_AS(stepped(1, 1.5), mae::config_error);
  CHECK_THROWS_WITH_AS(mae::optimizer(layout,
                                      mae::with_average<mae::adamw>{},
                                      backend_type(1),
                                      {.frozen = 1, .frozen_from = 0.5}),
                       "an encoder that is frozen during a training has no average any more: "
                       "freeze it from the first "
                       "step, or leave the average",
                       mae::config_error);
  CHECK_THROWS_AS(stepped(1, std::nan("")), mae::config_error);
}

TEST_CASE("a layer decay that is no share is refused") {
  for (double const wrong : {0.0, -0.5, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_WITH_AS(
        mae::optimizer(make_layout(), mae::lion{}, backend_type(1), {.layer_decay = wrong}),
        "the layer decay must lie in (0, 1]; 1 leaves all learning rates equal",
        mae::config_error);
  }
}

TEST_CASE("a learning rate of 0 changes no value but the states") {
  auto const layout = make_layout();
  auto values = random_values(layout.size(), 0);
  auto const start = values;
  mae::optimizer optimizer(layout, mae::adamw{.weight_decay = 0.5}, backend_type(1));
  optimizer.step(values, random_values(layout.size(), 1), 0.0, 1.0);
  CHECK(values == start);
  CHECK(optimizer.state("first_moment")[0] != 0);
  CHECK(optimizer.state("second_moment")[0] != 0);
}

TEST_CASE_TEMPLATE("an optimizer that is given states and steps continues as the first would have",
                   Rule,
                   mae::adamw,
                   mae::lion,
                   mae::sgd,
                   mae::with_average<mae::adamw>,
                   mae_test::rule_archetype) {
  auto const layout = make_layout();
  auto const gradients = random_values(layout.size(), 1);
  auto values = random_values(layout.size(), 0);
  mae::optimizer first(layout, Rule{}, backend_type(1));
  first.step(values, gradients, 0.1, 1.0);

  auto resumed_values = values;
  mae::optimizer resumed(layout, Rule{}, backend_type(2));
  std::vector<std::span<double const>> states;
  for (char const* const name : Rule{}.state_names) states.push_back(first.state(name));
  resumed.resume(first.steps(), states);
  first.step(values, gradients, 0.1, 1.0);
  resumed.step(resumed_values, gradients, 0.1, 1.0);
  CHECK(values == resumed_values);
  CHECK(resumed.steps() == 2);
  for (char const* const name : Rule{}.state_names) {
    std::span<double const> const one = first.state(name);
    std::span<double const> const other = resumed.state(name);
    CHECK(std::vector<double>(one.begin(), one.end()) ==
          std::vector<double>(other.begin(), other.end()));
  }
}

TEST_CASE("a state that the rule does not have is refused by name") {
  auto const layout = make_layout();
  mae::optimizer const optimizer(layout, mae::lion{}, backend_type(1));
  std::string said;
  try {
    (void)optimizer.state("second_moment");
  } catch (mae::config_error const& error) {
    said = error.what();
  }
  CHECK(said == "the update rule lion has no state named second_moment");
}
