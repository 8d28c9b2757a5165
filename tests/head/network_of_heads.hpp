#pragma once

#include "gradient_check.hpp"
#include "model_images.hpp"
#include "own_head.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/attentive_classifier.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/denoiser.hpp>
#include <mae/head/keypoints.hpp>
#include <mae/head/painter.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/shard.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <vector>

// Networks of any heads, on one small batch.

namespace mae_test {

using backend = mae::eigen_backend<double>;
constexpr index_t target_width = 5;
constexpr index_t outputs = 3;
constexpr index_t images = 3;

inline mae::painter a_painter() {
  return {mae::decoder_sizes::of(odd_config, target_width)};
}
inline regression a_regression() {
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

  // Of the classes 0 to 3; the second image is not learnt from.
  std::vector<double> classes{2, mae::ignored_label, 0};

  // Clean patches and levels; class tokens and the second image do not count.
  padded_matrix<double> denoised = [this] {
    index_t const width = odd_config.patch_values() + mae::denoiser::level_values + 1;
    padded_matrix<double> labels(shard.encoder_rows(), width, random);
    auto const offsets = shard.encoder_offsets().values();
    for (index_t row = 0; row < shard.encoder_rows(); ++row) {
      bool const is_class = std::ranges::find(offsets, row) != offsets.end();
      bool const is_second = row >= offsets[1] && row < offsets[2];
      labels.view()(row, width - 1) = is_class || is_second ? 0 : 1;
    }
    return labels;
  }();

  // Of pixels: every fifth is not learnt from. Of two points an image: the fourth is not seen.
  std::vector<double> pixel_classes = [] {
    std::vector<double> classes_of_pixels;
    for (index_t i = 0; i < images * odd_config.image.pixels(); ++i)
      classes_of_pixels.push_back(i % 5 == 4 ? mae::ignored_label : static_cast<double>(i % 3));
    return classes_of_pixels;
  }();
  std::vector<double> points{1.5, 2.5, 1, 0.2, 3.9, 1, 2, 2, 1, 0, 0, 0, 3, 0.5, 1, 2.2, 6, 1};

  mae::matrix_view<double const> labels_of(mae::segmenter const& /*head*/) const {
    return {pixel_classes.data(), images * odd_config.image.pixels(), 1};
  }
  mae::matrix_view<double const> labels_of(mae::keypoints const& /*head*/) const {
    return {points.data(), 2 * images, mae::heat_map_label_width};
  }
  mae::matrix_view<double const> labels_of(mae::denoiser const& /*head*/) const {
    return denoised.view();
  }
  mae::matrix_view<double const> labels_of(mae::classifier const& /*head*/) const {
    return {classes.data(), images, 1};
  }
  mae::matrix_view<double const> labels_of(mae::attentive_classifier const& /*head*/) const {
    return {classes.data(), images, 1};
  }
  mae::matrix_view<double const> labels_of(mae::painter const& /*head*/) const {
    return targets.view();
  }
  mae::matrix_view<double const> labels_of(regression const& /*head*/) const {
    return outcomes.view();
  }
};

/// A network of these heads. Its values depend on the tensors' names alone.
template <class... Heads>
class network_of {
  using pass_type = mae::network_pass<backend, Heads...>;

 public:
  explicit network_of(Heads const&... heads) : network_of(mae::position_table::sincos, heads...) {}
  explicit network_of(mae::position_table positions, Heads const&... heads)
      : network_of(positions, mae::patch_levels{}, heads...) {}
  network_of(mae::position_table positions, mae::patch_levels const& levels, Heads const&... heads)
      : parts_{.config = odd_config, .heads = {heads...}, .positions = positions, .levels = levels},
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

  /// The sum of the heads' losses, each times its factor.
  double loss() {
    std::array<double, sizeof...(Heads)> sums{};
    pass_.forward(operands(), input(), active(), sums.data());
    return std::inner_product(sums.begin(), sums.end(), factors.begin(), 0.0);
  }
  std::vector<double> gradient() {
    std::vector<double> flat(values.size());
    loss();
    pass_.backward(operands(), input(), active(), mae::bind_network(layout, parts_, flat.data()));
    for (auto const& tensor : layout.tensors())  // as partial_gradients does
      for (std::size_t head = 0; head < factors.size(); ++head)
        if (tensor.segment == parts_.names()[head])
          for (double& value : of(tensor, flat)) value *= factors[head];
    return flat;
  }

 private:
  typename pass_type::parts_type parts_;

 public:
  mae::parameter_layout layout = mae::layout_of(parts_);
  std::vector<double> values;
  std::array<double, sizeof...(Heads)> factors = mae::network_parts<Heads...>::equal_weights();
  std::vector<float> branch_scales;  // (images, 2 depth), or none

  /// Tells tokens these levels of the batch's patches.
  void tell_levels(std::span<index_t const> levels) {
    batch_.shard.tell_levels(levels, parts_.levels.told);
  }

 private:
  typename pass_type::active_type active() const { return {mae::heads_on(parts_), factors.data()}; }
  typename pass_type::input_type input() const {
    auto shard = batch_.shard.view();
    if (!branch_scales.empty())
      shard.branch_scales = {branch_scales.data(), images, 2 * odd_config.encoder.depth};
    return {shard,
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

/// Every tensor's gradient is that of the loss, by central differences along a direction.
template <class Network>
void check_gradients(Network& network) {
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

}  // namespace mae_test
