#include "denoiser_reference.hpp"
#include "editable_file.hpp"
#include "model_images.hpp"
#include "network_of_heads.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/denoiser.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/part.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>
#include <mae/network/workspace.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/linear.hpp>
#include <mae/train/mixable.hpp>
#include <mae/train/options.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace {

namespace torch_denoiser = denoiser_reference;
using mae::denoiser;
using mae::index_t;
using mae::matrix_view;
using mae_test::odd_config;
using exact_backend = mae::eigen_backend<double>;
using exact_lane = exact_backend::lane;

constexpr index_t reference_rows = 7;
constexpr denoiser of_reference{.hidden = 7, .encoder_width = 6, .patch_values = 4};

/// PyTorch's batch as labels: two images of 2 and 3 visible patches.
std::vector<double> reference_labels() {
  index_t const width = of_reference.label_width();
  std::vector<double> labels(static_cast<std::size_t>(reference_rows * width));
  matrix_view<double> const rows(labels.data(), reference_rows, width);
  for (index_t row = 0; row < reference_rows; ++row) {
    std::copy_n(torch_denoiser::clean.begin() + 4 * row, 4, rows.row(row).begin());
    if (row == 0 || row == 3) continue;
    denoiser::write_level(row < 3 ? 0.3 : 2.0, rows.row(row).subspan(4, denoiser::level_values));
    rows(row, width - 1) = 1;
  }
  return labels;
}

void check_as_torch(std::span<double const> found, std::span<double const> expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-9));
}

/// The tensors that PyTorch has, in the order of the table.
struct reference_tensor {
  std::string name;
  std::span<double const> values, gradient;
};
std::vector<reference_tensor> reference_tensors() {
  return {
      {"denoiser.level.weight", torch_denoiser::level_weight, torch_denoiser::level_weight_grad},
      {"denoiser.level.bias", torch_denoiser::level_bias, torch_denoiser::level_bias_grad},
      {"denoiser.norm.weight", torch_denoiser::norm_weight, torch_denoiser::norm_weight_grad},
      {"denoiser.norm.bias", torch_denoiser::norm_bias, torch_denoiser::norm_bias_grad},
      {"denoiser.fc1.weight", torch_denoiser::first_weight, torch_denoiser::first_weight_grad},
      {"denoiser.fc1.bias", torch_denoiser::first_bias, torch_denoiser::first_bias_grad},
      {"denoiser.fc2.weight", torch_denoiser::second_weight, torch_denoiser::second_weight_grad},
      {"denoiser.fc2.bias", torch_denoiser::second_bias, torch_denoiser::second_bias_grad}};
}

/// The labels of an image with this noise, whose patches 2, 5 and 7 are seen.
std::vector<float> labels_with(double noise) {
  auto const head = denoiser{}.fitted(odd_config);
  std::vector<float> patches(static_cast<std::size_t>(odd_config.image.values()));
  for (std::size_t i = 0; i < patches.size(); ++i) patches[i] = static_cast<float>(i);
  std::vector<mae::patch_index> const seen{2, 5, 7};
  std::vector<float> labels(static_cast<std::size_t>(4 * head.label_width()), -1.0F);
  head.label(
      mae::image_sample<float>{
          .config = odd_config,
          .patches = {patches.data(), odd_config.num_patches(), odd_config.patch_values()},
          .targets = {},
          .visible = seen,
          .noise = noise},
      matrix_view<float>(labels.data(), 4, head.label_width()));
  return labels;
}

}  // namespace

static_assert(mae::HeadOn<denoiser, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<denoiser, mae::eigen_lane<mae::bfloat16>>);

TEST_CASE("R2: a denoiser's predictions, losses and gradients are PyTorch's") {
  mae::parameter_layout layout;
  layout.begin(denoiser::name);
  mae::detail::table_walk table(layout);
  of_reference.walk(table);
  std::vector<double> values(static_cast<std::size_t>(layout.size()));
  std::vector<double> gradients(values.size());
  auto const tensors = reference_tensors();
  REQUIRE(layout.tensors().size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK(layout.tensors()[i].name == tensors[i].name);
    std::ranges::copy(tensors[i].values, values.begin() + layout.tensors()[i].offset);
  }
  denoiser::weights<double const, mae::linear_weights<double const>> views;
  denoiser::weights<double, mae::linear_weights<double>> grads;
  denoiser::weights<double const, mae::linear_operands<exact_lane>> operands;
  mae::tensor_binder<double const> bind(layout, values.data());
  of_reference.walk(bind, views);
  mae::tensor_binder<double> bind_gradients(layout, gradients.data());
  of_reference.walk(bind_gradients, grads);
  exact_backend const backend(1);
  mae::detail::packed_layers<exact_backend> packed(mae::pass_kind::training);
  packed.place([&](auto& at) { of_reference.walk(at, views, operands); });
  packed.pack(backend);

  std::vector<index_t> const offsets{0, 3, 7};
  mae::shard_view shard;
  shard.images = 2;
  shard.encoder_offsets = {offsets};
  mae::shard_capacity const room{.images = 2, .visible = 5, .encoder_rows = reference_rows};
  mae::pass_workspace<exact_backend> workspace;
  mae::denoiser_pass<exact_lane> pass;
  workspace.fit(room, [&](mae::carver<double>& memory, mae::shard_capacity const& fitted) {
    pass = mae::denoiser_pass<exact_lane>::carve(
        memory, of_reference, fitted, mae::pass_kind::training);
  });
  auto lane = backend.make_lane();
  auto const largest = of_reference.extents(room);
  lane.reserve_products(largest.rows, largest.width);
  lane.reserve_transposed(largest.rows, largest.width);
  auto const labels = reference_labels();
  mae::head_input<exact_lane> const in{
      .lane = lane,
      .shard = shard,
      .tokens = {torch_denoiser::tokens.data(), reference_rows, 6},
      .labels = {labels.data(), reference_rows, of_reference.label_width()},
      .scratch = {},
      .norm_epsilon = 1e-6};

  check_as_torch(std::span(labels).subspan(static_cast<std::size_t>(of_reference.label_width() + 4),
                                           denoiser::level_values),
                 std::span(torch_denoiser::levels).first(denoiser::level_values));
  auto const said = pass.predict(in, operands);
  check_as_torch({said.data, static_cast<std::size_t>(said.size())}, torch_denoiser::predicted);
  std::vector<double> losses(reference_rows);
  pass.forward(in, operands, losses);
  check_as_torch(losses, torch_denoiser::losses);
  std::vector<double> tokens_grad(torch_denoiser::tokens.size(), 7);
  pass.backward(in, operands, matrix_view<double>(tokens_grad.data(), reference_rows, 6), grads);
  check_as_torch(tokens_grad, torch_denoiser::tokens_grad);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(tensors[i].name);
    check_as_torch(
        std::span(gradients).subspan(static_cast<std::size_t>(layout.tensors()[i].offset),
                                     tensors[i].gradient.size()),
        tensors[i].gradient);
  }
}

TEST_CASE("R1: a denoiser's gradient, alone and beside a painter") {
  auto const head = denoiser{.hidden = 5}.fitted(odd_config);
  mae_test::network_of<denoiser> alone(head);
  mae_test::check_gradients(alone);
  mae_test::network_of<mae::painter, denoiser> both(mae_test::a_painter(), head);
  both.factors = {1.0, 0.25};
  mae_test::check_gradients(both);
}

TEST_CASE("a denoiser's labels are the clean visible patches and the image's level") {
  auto const head = denoiser{}.fitted(odd_config);
  index_t const width = head.label_width();
  index_t const values = odd_config.patch_values();
  auto const labels = labels_with(0.5);
  matrix_view<float const> const rows(labels.data(), 4, width);
  CHECK(head.num_counted(rows) == 3);
  for (index_t k = 0; k < width; ++k) CHECK(rows(0, k) == 0);
  std::vector<float> level(denoiser::level_values);
  denoiser::write_level(0.5, std::span(level));
  double zero = 0;
  for (index_t row = 1; row < 4; ++row) {
    index_t const patch = std::array{2, 5, 7}[static_cast<std::size_t>(row - 1)];
    double squares = 0;
    for (index_t k = 0; k < values; ++k) {
      auto const clean = static_cast<float>(patch * values + k);
      CHECK(rows(row, k) == clean);
      squares += static_cast<double>(clean) * clean;
    }
    zero += squares / static_cast<double>(values);
    CHECK(std::ranges::equal(rows.row(row).subspan(static_cast<std::size_t>(values), level.size()),
                             level));
    CHECK(rows(row, width - 1) == 1);
  }
  CHECK(head.loss_of_zero(rows) == doctest::Approx(zero).epsilon(1e-6));
  auto const quiet = labels_with(0);
  CHECK(head.num_counted(matrix_view<float const>(quiet.data(), 4, width)) == 0);
}

TEST_CASE("a denoiser that cannot be, and a training without noise, are refused") {
  auto const refusal = [](denoiser const& head) {
    return refusal_of<mae::config_error>([&] {
      mae::layout_of(mae::network_parts<denoiser>{odd_config, 1e-6, {head}});
    });
  };
  CHECK(refusal({.hidden = -1, .encoder_width = 6, .patch_values = 4}) ==
        "a denoiser's layers need hidden values, not -1");
  auto const head = denoiser{}.fitted(odd_config);
  CHECK(head.hidden == 2 * odd_config.encoder.width);
  CHECK(head.settings() == mae::settings_list{{"hidden", std::to_string(head.hidden)}});

  mae::network_parts<mae::painter, denoiser> parts{odd_config, 1e-6, {mae_test::a_painter(), head}};
  mae::training_options options;
  CHECK(refusal_of<mae::config_error>([&] { mae::require_noise(options, parts); }) ==
        "the head denoiser learns from noise, and the training has none: set "
        "training_options::noise");
  options.noise = {.sigma_min = 0.1, .sigma_max = 1};
  CHECK(refusal_of<mae::config_error>([&] { mae::require_noise(options, parts); }) ==
        "nothing was thrown");
  options.noise = {};
  parts.weights = {1, 0};
  CHECK(refusal_of<mae::config_error>([&] { mae::require_noise(options, parts); }) ==
        "nothing was thrown");
}
