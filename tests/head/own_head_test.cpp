#include "own_head.hpp"

#include "editable_file.hpp"
#include "model_images.hpp"
#include "network_of_heads.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/initialise.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/shard.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae::painter;
using mae_test::odd_config;
using mae_test::padded_matrix;
using mae_test::regression;

using mae_test::a_painter;
using mae_test::a_regression;
using mae_test::network_of;

/// The largest difference of a tensor's gradient from another network's, which may lack it.
template <class Left, class Right>
void add_gradients(Left& sum, std::vector<double>& flat, Right& of) {
  auto gradient = of.gradient();
  for (auto const& tensor : of.layout.tensors())
    std::ranges::transform(sum.of(sum.layout.find(tensor.name), flat),
                           of.of(tensor, gradient),
                           sum.of(sum.layout.find(tensor.name), flat).begin(),
                           std::plus<>{});
}

template <class Network>
void check_sum_of_alone(Network& both) {
  network_of<painter> painting(a_painter());
  network_of<regression> regressing(a_regression());
  CHECK(both.loss() == doctest::Approx(painting.loss() + regressing.loss()).epsilon(1e-13));
  std::vector<double> expected(both.values.size());
  add_gradients(both, expected, painting);
  add_gradients(both, expected, regressing);
  auto const gradient = both.gradient();
  double largest = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i)
    largest = std::max(largest, std::abs(gradient[i] - expected[i]));
  CHECK(largest <= 1e-12);
}

}  // namespace

static_assert(mae::HeadOn<painter, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<regression, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<regression, mae::eigen_lane<mae::bfloat16>>);
static_assert(!mae::Head<int>);

TEST_CASE("R1: a network of two heads has the gradient of the sum of their losses") {
  network_of<painter, regression> network(a_painter(), a_regression());
  mae_test::check_gradients(network);
}

TEST_CASE("heads in any order learn what each learns alone, added") {
  network_of<painter, regression> first(a_painter(), a_regression());
  check_sum_of_alone(first);
  network_of<regression, painter> second(a_regression(), a_painter());
  check_sum_of_alone(second);
}

TEST_CASE("a head's tensors are a segment of its own, behind the encoder's") {
  network_of<regression, painter> const network(a_regression(), a_painter());
  CHECK(network.layout.find("cls_token").segment == mae::encoder_segment);
  CHECK(network.layout.find("regression.weight").segment == "regression");
  CHECK(network.layout.find("decoder_pred.bias").segment == painter::name);
  CHECK(network.layout.find("norm.bias").offset < network.layout.find("regression.weight").offset);
  CHECK(network.layout.find("regression.bias").offset <
        network.layout.find("decoder_embed.weight").offset);
}

namespace {

/// A head with a tensor of this name, and itself of another.
struct tensor_head : regression {
  static constexpr std::string_view name = "second";
  char const* tensor = "";

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    at.linear(tensor, outputs, encoder_width, of.layer...);
  }
};

struct spoken_head : regression {
  static constexpr std::string_view name = "my head";
};

/// Says that a shard has one label, however many images it has.
struct miscounting_head : regression {
  mae::index_t label_rows(mae::shard_capacity const& /*room*/) const { return 1; }
};

}  // namespace

TEST_CASE("two tensors of one name are refused by it: only one of them would learn") {
  auto const refusal = [](char const* tensor) {
    tensor_head second{a_regression()};
    second.tensor = tensor;
    return refusal_of<mae::config_error>([&] {
      mae::layout_of(mae::network_parts<regression, tensor_head>{
          odd_config, 1e-6, std::tuple(a_regression(), second)});
    });
  };
  CHECK(
      refusal("regression") ==
      "the network has two tensors named regression.weight, of regression and of second: give each "
      "tensor a name of its own");
  CHECK(
      refusal("norm") ==
      "the network has two tensors named norm.weight, of encoder and of second: give each tensor a "
      "name of its own");
  CHECK(refusal("another") == "nothing was thrown");
}

TEST_CASE("a head's name is plain, since files put it between spaces and before dots") {
  CHECK(refusal_of<mae::config_error>([] {
          mae::layout_of(mae::network_parts<spoken_head>{
              odd_config, 1e-6, std::tuple(spoken_head{a_regression()})});
        }) ==
        "a head is named \"my head\": give it a name of small letters, digits and underscores, but "
        "neither optimizer nor mae");
}

TEST_CASE("label rows that are not the sum of the images' are refused") {
  network_of<miscounting_head> network(miscounting_head{a_regression()});
  CHECK(refusal_of<mae::config_error>([&] { network.loss(); }) ==
        "the head regression says 1 label rows of a shard with labels of 3 and room for 1: its "
        "label_rows must be the sum of its images'");
}

TEST_CASE("two heads of one name are refused by it") {
  mae::network_parts<regression, regression> const twins{
      odd_config, 1e-6, {a_regression(), a_regression()}};
  CHECK_THROWS_WITH_AS(
      mae::layout_of(twins),
      "two parts of the network are named regression: give each head a name of its own",
      mae::config_error);
}
