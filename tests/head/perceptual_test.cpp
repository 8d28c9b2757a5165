#include "gradient_check.hpp"
#include "model_images.hpp"
#include "own_head.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/cross_painter.hpp>
#include <mae/head/painter.hpp>
#include <mae/head/perceptual.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/shard.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::odd_config;
using exact = mae::eigen_backend<double>;
using distance = mae::perceptual<exact>;

constexpr index_t number_of_images = 3;
constexpr index_t number_of_patches = odd_config.num_patches();

/// Another width and depth than the network's; statistics of its own.
constexpr mae::model_config critic_config{
    .image = odd_config.image,
    .patch = odd_config.patch,
    .encoder = {.depth = 3, .width = 16, .heads = 2},
    .decoder = odd_config.decoder,
};

std::shared_ptr<mae::frozen_blocks<exact> const> a_critic(index_t blocks,
                                                          mae::pixel_statistics own = {},
                                                          mae::pixel_statistics seen = {}) {
  auto const layout = mae::layout_of(mae::network_parts<>{critic_config});
  std::vector<double> values(static_cast<std::size_t>(layout.size()));
  auto random = mae_test::stream_of(31);
  for (double& value : values) value = 0.3 * random.normal();
  return std::make_shared<mae::frozen_blocks<exact> const>(
      critic_config,
      mae::frozen_settings{.blocks = blocks,
                           .norm_epsilon = 1e-6,
                           .identity = "a",
                           .own = std::move(own),
                           .seen = std::move(seen)},
      layout,
      values,
      exact(1));
}

distance a_distance(mae::painted_units units = {}, index_t blocks = 2) {
  return distance{a_critic(blocks), units, 0}.fitted(odd_config);
}

template <class Painter>
Painter pixel_painter() {
  Painter made;
  made.sizes = mae::decoder_sizes::of(odd_config, odd_config.patch_values());
  return made;
}

/// A painter of pixels, and what it paints at a distance, on one ragged batch.
template <class Painter, class... Others>
class painted_network {
  using pass_type = mae::network_pass<exact, Painter, distance, Others...>;
  using parts_type = typename pass_type::parts_type;

 public:
  explicit painted_network(distance const& of, Others const&... others)
      : parts_{.config = odd_config, .heads = {pixel_painter<Painter>(), of, others...}},
        layout(mae::layout_of(parts_)),
        values(static_cast<std::size_t>(layout.size())),
        pass_(backend_.make_lane(), parts_, mae::pass_kind::training) {
    for (auto const& tensor : layout.tensors()) {
      auto random = mae_test::stream_of(std::hash<std::string>{}(tensor.name));
      for (double& value : of_tensor(tensor, values)) value = 0.3 * random.normal();
    }
    rows_.assign(
        mae_test::random_plan(odd_config, {{3, 9}, {2, 5}, {8, 2}}, 2), 0, number_of_images);
    auto random = mae_test::stream_of(3);
    patches.resize(
        static_cast<std::size_t>(number_of_images * number_of_patches * odd_config.patch_values()));
    for (double& value : patches) value = random.normal();
    targets_.resize(static_cast<std::size_t>(rows_.num_targets() * odd_config.patch_values()));
    for (double& value : targets_) value = random.normal();
    outcomes_ = mae_test::padded_matrix<double>(number_of_images, 3, random);
  }

  std::span<double> of_tensor(mae::tensor_spec const& tensor, std::vector<double>& flat) const {
    return std::span(flat).subspan(static_cast<std::size_t>(tensor.offset),
                                   static_cast<std::size_t>(tensor.size()));
  }
  std::array<double, 2 + sizeof...(Others)> losses() {
    std::array<double, 2 + sizeof...(Others)> sums{};
    pass_.forward(operands(), input(), active(), sums.data());
    return sums;
  }
  double loss() {
    auto const sums = losses();
    return std::inner_product(sums.begin(), sums.end(), factors.begin(), 0.0);
  }
  std::vector<double> gradient() {
    std::vector<double> flat(values.size());
    loss();
    pass_.backward(operands(), input(), active(), mae::bind_network(layout, parts_, flat.data()));
    for (auto const& tensor : layout.tensors())  // as partial_gradients does
      for (std::size_t head = 0; head < factors.size(); ++head)
        if (tensor.segment == parts_.names()[head])
          for (double& value : of_tensor(tensor, flat)) value *= factors[head];
    return flat;
  }
  /// Of the painter, for all three images.
  mae::matrix_view<double const> painted() const {
    return pass_.template head<0>().prediction(rows_.view());
  }
  mae::shard_rows const& rows() const { return rows_; }
  void switch_off_painter() { on_.reset(0); }

 private:
  parts_type parts_;

 public:
  mae::parameter_layout layout;
  std::vector<double> values;
  std::vector<double> patches;
  std::array<double, 2 + sizeof...(Others)> factors = parts_type::equal_weights();

 private:
  typename pass_type::active_type active() const { return {on_, factors.data()}; }
  typename pass_type::input_type input() const {
    index_t const width = odd_config.patch_values();
    typename pass_type::input_type in{
        rows_.view(), {patches.data(), number_of_images * number_of_patches, width}, {}};
    in.labels[0] = {targets_.data(), rows_.num_targets(), width};
    in.labels[1] = {patches.data(), number_of_images, number_of_patches * width};
    if constexpr (sizeof...(Others) > 0) in.labels[2] = outcomes_.view();
    return in;
  }
  typename pass_type::operands_type const& operands() {
    double const* const base = values.data();
    return prepared_.update(parts_, mae::bind_network(layout, parts_, base), backend_);
  }

  std::bitset<2 + sizeof...(Others)> on_ = std::bitset<2 + sizeof...(Others)>().set();
  std::vector<double> targets_;
  mae_test::padded_matrix<double> outcomes_{1, 1};
  mae::shard_rows rows_;
  exact backend_{1};
  pass_type pass_;
  typename pass_type::prepared_type prepared_{mae::pass_kind::training};
};

/// Every tensor's gradient is that of the loss, by central differences along a direction.
template <class Network>
void check_distances_gradient(Network& network) {
  auto const gradient = network.gradient();
  for (auto const& tensor : network.layout.tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    auto random = mae_test::stream_of(11);
    auto const values = network.of_tensor(tensor, network.values);
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

}  // namespace

static_assert(mae::Head<distance>);
static_assert(mae::HeadOn<distance, mae::eigen_lane<double>>);
static_assert(mae::HeadOn<mae::perceptual<mae::eigen_backend<mae::bfloat16>>,
                          mae::eigen_lane<mae::bfloat16>>);

TEST_CASE("R1: the gradient of a perceptual distance is that of its loss, to the whole network") {
  for (mae::painted_units const units : {mae::painted_units{}, {true, 0.01}}) {
    CAPTURE(units.are_of_patch);
    painted_network<mae::painter> network(a_distance(units));
    network.factors = {1, 40};  // most of it is the distance's
    check_distances_gradient(network);
  }
}

TEST_CASE("R1: also of a painter by cross-attention, and beside another head") {
  painted_network<mae::cross_painter, mae_test::regression> network(
      a_distance(), mae_test::regression{odd_config.encoder.width, 3});
  network.factors = {1, 40, 0.5};
  check_distances_gradient(network);
}
