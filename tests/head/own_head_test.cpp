#include "own_head.hpp"

#include "gradient_check.hpp"
#include "model_images.hpp"
#include "padded_matrix.hpp"

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
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae::painter;
using mae_test::odd_config;
using mae_test::padded_matrix;
using mae_test::regression;

using backend = mae::eigen_backend<double>;
constexpr index_t target_width = 5;
constexpr index_t outputs = 3;
constexpr index_t images = 3;

painter a_painter() {
  return {mae::decoder_sizes::of(odd_config, target_width)};
}
regression a_regression() {
  return {odd_config.encoder.width, outputs};
}

/// One batch, whose patches, masks and labels are the same for all networks.
struct given_batch {
  mae::random_stream random = mae_test::stream_of(3);
  padded_matrix<double> patches{
      images * odd_config.num_patches(), odd_config.patch_values(), random};
  mae::shard_rows shard = [] {
    mae::shard_rows rows;
    rows.assign(mae_test::random_plan(odd_config, {{3, 9}, {2, 5}, {8, 2}}, 2), 0, images);
    return rows;
  }();
  padded_matrix<double> targets{shard.num_targets(), target_width, random};
  padded_matrix<double> outcomes{images, outputs, random};

  mae::matrix_view<double const> labels_of(painter const& /*head*/) const { return targets.view(); }
  mae::matrix_view<double const> labels_of(regression const& /*head*/) const {
    return outcomes.view();
  }
};

/// A network of these heads. Its values depend on the tensors' names alone.
template <class... Heads>
class network_of {
  using pass_type = mae::network_pass<backend, Heads...>;

 public:
  explicit network_of(Heads const&... heads)
      : parts_{odd_config, 1e-6, {heads...}},
        values(static_cast<std::size_t>(layout.size())),
        pass_(backend_.make_lane(), parts_, mae::pass_kind::training) {
    for (auto const& tensor : layout.tensors()) {
      auto random = mae_test::stream_of(std::hash<std::string>{}(tensor.name));
      for (double& value : of(tensor, values)) value = 0.3 * random.normal();
    }
  }

  std::span<double> of(mae::tensor_spec const& tensor, std::vector<double>& flat) const {
    return std::span(flat).subspan(static_cast<std::size_t>(tensor.offset),
                                   static_cast<std::size_t>(tensor.size()));
  }

  double loss() {
    double sum = 0;
    pass_.forward(operands(), input(), &sum);
    return sum;
  }
  std::vector<double> gradient() {
    std::vector<double> flat(values.size());
    loss();
    pass_.backward(operands(), input(), mae::bind_network(layout, parts_, flat.data()));
    return flat;
  }

 private:
  typename pass_type::parts_type parts_;

 public:
  mae::parameter_layout layout = mae::layout_of(parts_);
  std::vector<double> values;

 private:
  typename pass_type::input_type input() const {
    return {batch_.shard.view(),
            batch_.patches.view(),
            std::apply(
                [&](auto const&... head) -> decltype(pass_type::input_type::labels) {
                  return {batch_.labels_of(head)...};
                },
                parts_.heads)};
  }
  typename pass_type::operands_type const& operands() {
    double const* const base = values.data();
    return prepared_.update(parts_, mae::bind_network(layout, parts_, base), backend_);
  }

  given_batch batch_;
  backend backend_{1};
  pass_type pass_;
  typename pass_type::prepared_type prepared_{mae::pass_kind::training};
};

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
  auto const gradient = network.gradient();
  for (auto const& tensor : network.layout.tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    auto random = mae_test::stream_of(11);
    auto const values = network.of(tensor, network.values);
    std::vector<double> const kept(values.begin(), values.end());
    std::vector<double> direction(kept.size());
    for (double& component : direction) component = random.normal();
    auto const loss_at = [&](double step) {
      for (std::size_t i = 0; i < kept.size(); ++i) values[i] = kept[i] + step * direction[i];
      double const loss = network.loss();
      std::ranges::copy(kept, values.begin());
      return loss;
    };
    double analytic = 0;
    for (std::size_t i = 0; i < kept.size(); ++i)
      analytic += gradient[static_cast<std::size_t>(tensor.offset) + i] * direction[i];
    double const step = mae_test::difference_step;
    double const numeric = (loss_at(step) - loss_at(-step)) / (2 * step);
    CHECK(numeric == doctest::Approx(analytic).epsilon(1e-5));
  }
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

TEST_CASE("two heads of one name are refused by it") {
  mae::network_parts<regression, regression> const twins{
      odd_config, 1e-6, {a_regression(), a_regression()}};
  CHECK_THROWS_WITH_AS(
      mae::layout_of(twins),
      "two parts of the network are named regression: give each head a name of its own",
      mae::config_error);
}
