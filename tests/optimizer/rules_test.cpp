#include "optimizer_reference.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/lion.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/optimizer/with_average.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
namespace reference = optimizer_reference;

constexpr std::size_t steps = reference::rates.size();
constexpr std::size_t values_in_all = reference::start.size();

/// The reference's two tensors.
mae::parameter_layout reference_layout() {
  mae::parameter_layout layout;
  layout.add({.name = "decays", .shape = {4, 6}, .decays = true});
  layout.add({.name = "does not", .shape = {13}});
  return layout;
}

/// A flat array of `layout` from the values of its tensors, one after the other; and back.
template <class T>
std::vector<T> laid_out(mae::parameter_layout const& layout, std::span<double const> values) {
  std::vector<T> flat(static_cast<std::size_t>(layout.size()));
  std::size_t from = 0;
  for (auto const& tensor : layout.tensors())
    for (index_t i = 0; i < tensor.size(); ++i)
      flat[static_cast<std::size_t>(tensor.offset + i)] = static_cast<T>(values[from++]);
  return flat;
}

template <class T>
void check_values(mae::parameter_layout const& layout,
                  std::span<T const> flat,
                  std::span<double const> expected) {
  double const tolerance = 60 * std::numeric_limits<T>::epsilon();
  std::size_t at = 0;
  for (auto const& tensor : layout.tensors())
    for (index_t i = 0; i < tensor.size(); ++i, ++at) {
      double const value = flat[static_cast<std::size_t>(tensor.offset + i)];
      REQUIRE(std::abs(value - expected[at]) <= tolerance);
    }
}

using expected_state = std::pair<char const*, std::span<double const>>;

/// Takes the reference's steps, whose gradients come as sums over four targets.
template <class T, mae::UpdateRule Rule>
void check_rule(Rule const& rule,
                std::span<double const> expected,
                std::vector<expected_state> const& states) {
  for (int const threads : {1, 3}) {
    auto const layout = reference_layout();
    mae::optimizer optimizer(layout, rule, mae::eigen_backend<T>(threads));
    auto values = laid_out<T>(layout, reference::start);
    for (std::size_t step = 0; step < steps; ++step) {
      auto gradients = laid_out<T>(
          layout, std::span(reference::gradients).subspan(step * values_in_all, values_in_all));
      for (T& gradient : gradients) gradient *= 4;
      optimizer.step(values, gradients, reference::rates[step], 0.25);
    }
    CAPTURE(rule.name());
    check_values<T>(layout, values, expected);
    for (auto const& [name, wanted] : states) check_values(layout, optimizer.state(name), wanted);
  }
}

constexpr mae::adamw adamw{.weight_decay = reference::decay,
                           .beta1 = reference::beta1,
                           .beta2 = reference::beta2,
                           .epsilon = reference::epsilon};
constexpr mae::lion lion{
    .weight_decay = reference::decay, .beta1 = reference::beta1, .beta2 = reference::beta2};
constexpr mae::sgd sgd{.weight_decay = reference::decay, .momentum = reference::momentum};
constexpr mae::sgd nesterov{
    .weight_decay = reference::decay, .momentum = reference::momentum, .nesterov = true};
constexpr mae::sgd plain{.weight_decay = reference::decay, .momentum = 0};

template <mae::UpdateRule Rule>
std::string refusal_of(Rule const& rule) {
  try {
    mae::require_valid(rule);
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE_TEMPLATE("eight steps of AdamW are PyTorch's", T, float, double) {
  check_rule<T>(adamw,
                reference::adamw_values,
                {{"first_moment", reference::adamw_first_moment},
                 {"second_moment", reference::adamw_second_moment}});
}

TEST_CASE_TEMPLATE("eight steps of Lion are its paper's", T, float, double) {
  check_rule<T>(lion, reference::lion_values, {{"momentum", reference::lion_momentum}});
}

TEST_CASE_TEMPLATE("eight steps of SGD are PyTorch's: with momentum, Nesterov's, without",
                   T,
                   float,
                   double) {
  check_rule<T>(sgd, reference::sgd_values, {{"velocity", reference::sgd_velocity}});
  check_rule<T>(nesterov, reference::nesterov_values, {{"velocity", reference::nesterov_velocity}});
  check_rule<T>(plain, reference::plain_values, {});
}

TEST_CASE_TEMPLATE("averages are PyTorch's, and change nothing of the rule", T, float, double) {
  check_rule<T>(mae::with_average(adamw, {.momentum = reference::average}),
                reference::adamw_values,
                {{"first_moment", reference::adamw_first_moment},
                 {"second_moment", reference::adamw_second_moment},
                 {"average", reference::adamw_average}});
  check_rule<T>(mae::with_average(lion, {.momentum = reference::average}),
                reference::lion_values,
                {{"momentum", reference::lion_momentum}, {"average", reference::lion_average}});
  check_rule<T>(mae::with_average(sgd, {.momentum = reference::average}),
                reference::sgd_values,
                {{"velocity", reference::sgd_velocity}, {"average", reference::sgd_average}});
}

TEST_CASE("the momentum of an average moves in equal steps, and its frozen values are there") {
  mae::parameter_layout layout;
  layout.add_token("token", 3);
  layout.add_positions("positions", 3, 4);
  std::vector<double> values(static_cast<std::size_t>(layout.size()), 2.0);
  std::vector<double> const gradients(values.size(), 1.0);
  mae::optimizer optimizer(
      layout,
      mae::with_average(mae::sgd{.momentum = 0}, {.momentum = 0.5, .last_momentum = 0.9}),
      mae::eigen_backend<double>(1));
  optimizer.begin(values);
  CHECK(optimizer.state("average")[0] == 2);
  double expected = 2;
  for (double const progress : {0.0, 0.5, 0.75}) {
    optimizer.step(values, gradients, 1.0, 1.0, progress);
    double const momentum = 0.5 + 0.4 * progress;
    expected = momentum * expected + (1 - momentum) * values[0];
    CHECK(optimizer.state("average")[0] == doctest::Approx(expected).epsilon(1e-15));
  }
  CHECK(values[0] == -1);
  auto const& positions = layout.find("positions");
  for (index_t i = positions.offset; i < positions.offset + positions.size(); ++i)
    CHECK(optimizer.state("average")[static_cast<std::size_t>(i)] == 2);
}

TEST_CASE("a momentum of 0 averages nothing away") {
  auto const layout = reference_layout();
  auto values = laid_out<double>(layout, reference::start);
  auto const gradients =
      laid_out<double>(layout, std::span<double const>(reference::gradients).first(values_in_all));
  mae::optimizer optimizer(
      layout, mae::with_average(mae::adamw{}, {.momentum = 0}), mae::eigen_backend<double>(1));
  optimizer.step(values, gradients, 0.1, 1);
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(optimizer.state("average")[i] == values[i]);
}

TEST_CASE("Lion leaves a value whose direction is 0, and moves every other by the whole rate") {
  mae::parameter_layout layout;
  layout.add_token("token", 3);
  std::vector<float> values(static_cast<std::size_t>(layout.size()), 1.0F);
  std::vector<float> gradients(values.size());
  gradients[1] = 1e-20F;
  gradients[2] = -1e3F;
  mae::optimizer optimizer(layout, mae::lion{.weight_decay = 0}, mae::eigen_backend<float>(1));
  optimizer.step(values, gradients, 0.5, 1);
  CHECK(values[0] == 1.0F);
  CHECK(values[1] == 0.5F);
  CHECK(values[2] == 1.5F);
}

TEST_CASE("rules with constants that cannot be used are refused with a sentence") {
  CHECK(refusal_of(mae::adamw{}).empty());
  CHECK(refusal_of(mae::adamw{.weight_decay = 0, .beta1 = 0, .beta2 = 0}).empty());
  CHECK(refusal_of(mae::lion{}).empty());
  CHECK(refusal_of(mae::sgd{.momentum = 0}).empty());
  for (double const decay : {-0.1, not_a_number}) {
    std::string const sentence = "the weight decay must not be negative";
    CHECK(refusal_of(mae::adamw{.weight_decay = decay}) == sentence);
    CHECK(refusal_of(mae::lion{.weight_decay = decay}) == sentence);
    CHECK(refusal_of(mae::sgd{.weight_decay = decay}) == sentence);
    CHECK(refusal_of(mae::with_average(mae::sgd{.weight_decay = decay})) == sentence);
  }
  for (double const large : {infinity, 1e39}) {
    CHECK(refusal_of(mae::adamw{.weight_decay = large}) ==
          "the weight decay must be finite, and a float hold it");
    CHECK(refusal_of(mae::adamw{.epsilon = large}) ==
          "AdamW's epsilon must be finite, and a float hold it");
  }
  for (double const epsilon : {0.0, not_a_number})
    CHECK(refusal_of(mae::adamw{.epsilon = epsilon}) == "AdamW's epsilon must be positive");
  for (double const beta : {-0.1, 1.0, not_a_number}) {
    CHECK(refusal_of(mae::adamw{.beta1 = beta}) == "AdamW's betas must lie in [0, 1)");
    CHECK(refusal_of(mae::adamw{.beta2 = beta}) == "AdamW's betas must lie in [0, 1)");
    CHECK(refusal_of(mae::lion{.beta1 = beta}) == "Lion's betas must lie in [0, 1)");
    CHECK(refusal_of(mae::lion{.beta2 = beta}) == "Lion's betas must lie in [0, 1)");
    CHECK(refusal_of(mae::sgd{.momentum = beta}) == "the momentum of SGD must lie in [0, 1)");
    CHECK(refusal_of(mae::with_average(mae::sgd{}, {.momentum = beta})) ==
          "the momentum of an average must lie in [0, 1)");
    CHECK(refusal_of(mae::with_average(mae::sgd{}, {.last_momentum = beta})) ==
          "the momentum of an average must lie in [0, 1)");
  }
  CHECK(refusal_of(mae::sgd{.momentum = 0, .nesterov = true}) ==
        "Nesterov's SGD needs a momentum above 0");
}
