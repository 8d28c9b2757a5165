#include "model_images.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::odd_config;

using odd_model = mae::autoencoder<odd_config>;

// Everything that a user may want to know of a model is known at compile time.
static_assert(odd_model::num_patches == 12);
static_assert(odd_model::patch_values == 140);
static_assert(odd_model::mask_type{}.max_visible(odd_model::num_patches) == 3);
static_assert(odd_model::objective_type{}.target_width(odd_model::config) == 140);
static_assert(odd_model::config == odd_config);

// What is not named is He et al.'s: three quarters hidden, normalised pixels, in float on the CPU.
static_assert(std::same_as<odd_model,
                           mae::autoencoder<odd_config,
                                            mae::uniform_mask<mae::ratio{3, 4}>,
                                            mae::eigen_backend<float>,
                                            mae::normalised_pixels>>);

// Equal sizes give the same type, wherever they are written down.
static_assert(
    std::same_as<odd_model,
                 mae::autoencoder<mae::model_config{
                     .image = {.height = 20, .width = 21, .channels = 4},
                     .patch = {.height = 5, .width = 7},
                     .encoder = {.depth = 2, .width = 20, .heads = 5, .mlp_ratio = {4, 1}},
                     .decoder = {.depth = 2, .width = 12, .heads = 3, .mlp_ratio = {4, 1}},
                 }>>);

// A model owns its parameters: it moves and is not copied by accident.
static_assert(std::movable<odd_model> && !std::is_copy_constructible_v<odd_model>);

}  // namespace

TEST_CASE("a model knows what it was made of") {
  odd_model const model({.seed = 7, .objective = {.epsilon = 4e-3}, .norm_epsilon = 1e-12});
  CHECK(model.seed() == 7);
  CHECK(model.objective().epsilon == 4e-3);
  CHECK(model.sizes().norm_epsilon == 1e-12);
  CHECK(std::get<0>(model.sizes().heads).label_width() == 140);
  CHECK(odd_model().sizes().norm_epsilon == 1e-6);
  CHECK(odd_model().objective().epsilon == 1e-6);
  CHECK(model.statistics().mean.empty());
}

TEST_CASE("a model has the values that its constexpr count states") {
  odd_model const model;
  index_t values = 0;
  for (auto const& tensor : model.layout().tensors()) values += tensor.size();
  CHECK(values == mae::parameter_count(odd_config, odd_model::patch_values));
  CHECK(std::ssize(model.parameters().values()) == model.layout().size());
}

TEST_CASE("a seed decides a model's initial values, and the epsilon reaches its norms") {
  auto const images = mae_test::random_images(odd_config, 1, 1);
  auto const plan = mae_test::random_plan(odd_config, {{3, 9}}, 1);
  auto const loss = [&](odd_model const& model) { return model.forward(images, plan).loss; };
  CHECK(loss(odd_model({.seed = 1})) == loss(odd_model({.seed = 1})));
  CHECK(loss(odd_model({.seed = 1})) != loss(odd_model({.seed = 2})));
  CHECK(loss(odd_model({.seed = 1})) != loss(odd_model({.seed = 1, .norm_epsilon = 1e-2})));
}

TEST_CASE("a model's linears begin as its parts say") {
  odd_model paper;
  CHECK(std::ranges::all_of(paper.parameters().tensor("blocks.0.attn.qkv.bias"),
                            [](float value) { return value == 0; }));
  odd_model other({.linears = mae::linear_start::pytorch});
  CHECK(std::ranges::none_of(other.parameters().tensor("blocks.0.attn.qkv.bias"),
                             [](float value) { return value == 0; }));
}

TEST_CASE("a moved model works on with the same parameters") {
  auto const images = mae_test::random_images(odd_config, 2, 2);
  auto const plan = mae_test::random_plan(odd_config, {{3, 9}, {2, 4}}, 2);
  odd_model model({.seed = 3});
  auto const before = model.forward(images, plan);
  odd_model moved(std::move(model));
  CHECK(moved.forward(images, plan).prediction == before.prediction);
  odd_model assigned({.seed = 4});
  assigned = std::move(moved);
  CHECK(assigned.forward(images, plan).prediction == before.prediction);
  assigned.parameters().tensor("decoder_pred.bias").front() += 1.0F;
  CHECK(assigned.forward(images, plan).prediction != before.prediction);
}

TEST_CASE("a plan without targets has no loss, yet paints whole images") {
  odd_model const model({.seed = 3});
  auto const images = mae_test::random_images(odd_config, 2, 1);
  auto const all = mae::mask_plan::all_visible(2, odd_config.num_patches());
  char const* const sentence = "the mask plan has no patch to predict, so that there is no loss";
  CHECK_THROWS_WITH_AS(model.forward(images, all), sentence, mae::config_error);
  CHECK_THROWS_WITH_AS(
      model.forward({}, mae::mask_plan(0, odd_config.num_patches())), sentence, mae::config_error);
  CHECK(model.reconstruct(images, all).size() == images.size());
}

TEST_CASE("parameters can be set at once, statistics and epsilons only where they can be used") {
  auto const images = mae_test::random_images(odd_config, 2, 1);
  auto const plan = mae_test::random_plan(odd_config, {{3, 9}, {5, 4}}, 2);
  odd_model model({.seed = 3});
  odd_model const other({.seed = 4});
  auto const values = other.parameters().values();
  model.set_parameters(values);
  CHECK(model.forward(images, plan).prediction == other.forward(images, plan).prediction);
  CHECK_THROWS_AS(model.set_parameters(values.first(1)), mae::config_error);
  CHECK_THROWS_AS(model.set_statistics({.mean = {0}, .deviation = {1}}), mae::config_error);
  CHECK_THROWS_AS(model.set_norm_epsilon(-1e-6), mae::config_error);
  CHECK_THROWS_AS(odd_model({.norm_epsilon = 0}), mae::config_error);
  CHECK(model.statistics() == mae::pixel_statistics{});
  CHECK(model.forward(images, plan).prediction == other.forward(images, plan).prediction);
}

TEST_CASE("a model whose sizes have become values says the same") {
  odd_model model({.seed = 3});
  auto const images = mae_test::random_images(odd_config, 2, 1);
  auto const plan = mae_test::random_plan(odd_config, {{3, 9}, {5, 4}}, 2);
  auto const expected = model.forward(images, plan);
  auto const encoded = mae::encoder_of(model).features(images, mae::pooling::both);

  using sized_model = mae::
      sized_autoencoder<odd_model::mask_type, odd_model::backend_type, odd_model::objective_type>;
  static_assert(!std::constructible_from<sized_model, mae::model_config, odd_model::parts>);
  sized_model const sized(std::move(model));
  CHECK(sized.sizes().config == odd_config);
  CHECK(sized.forward(images, plan).prediction == expected.prediction);
  mae::sized_encoder<odd_model::backend_type> const encoder = mae::encoder_of(sized);
  CHECK(encoder.features(images, mae::pooling::both) == encoded);
  CHECK(encoder.feature_width(mae::pooling::both) == 40);
}

TEST_CASE("in double a model begins as in float, and says the same to rounding") {
  using exact_model =
      mae::autoencoder<odd_config, mae::uniform_mask<mae::ratio{3, 4}>, mae::eigen_backend<double>>;
  auto const images = mae_test::random_images(odd_config, 1, 3);
  auto const plan = mae_test::random_plan(odd_config, {{3, 9}}, 3);
  auto const rounded = odd_model({.seed = 5}).forward(images, plan);
  auto const exact = exact_model({.seed = 5}).forward(images, plan);
  CHECK(rounded.loss == doctest::Approx(exact.loss).epsilon(1e-5));
  CHECK(rounded.baseline == doctest::Approx(exact.baseline).epsilon(1e-6));
  REQUIRE(rounded.prediction.size() == exact.prediction.size());
  for (std::size_t i = 0; i < exact.prediction.size(); ++i)
    CHECK(std::abs(double{rounded.prediction[i]} - exact.prediction[i]) <= 1e-5);
}

TEST_CASE("a model with nothing square or even trains") {
  index_t const count = 5;
  mae::memory_dataset<float> const dataset(mae_test::random_images(odd_config, count, 4),
                                           {.extent = odd_config.image});
  odd_model model({.seed = 6, .backend = mae::eigen_backend<float>(2)});
  auto const initial = model.parameters().values();
  std::vector<float> const before(initial.begin(), initial.end());
  mae::trainer trainer(
      model, dataset, {.batch_size = count, .epochs = 60, .lr = 1e-2, .warmup_epochs = 2});
  trainer.step();  // the schedule's rate is still zero
  auto const report = trainer.step();
  CHECK(std::isfinite(report.loss));
  CHECK(report.gradient_norm > 0);
  for (auto const& tensor : model.layout().tensors()) {
    CAPTURE(tensor.name);
    auto const now = std::as_const(model).parameters().tensor(tensor.name);
    bool const is_same = std::equal(now.begin(), now.end(), before.begin() + tensor.offset);
    CHECK(is_same == (tensor.kind == mae::tensor_kind::buffer));
  }
  double last = report.loss;
  trainer.run({.on_step = [&](mae::step_report const& step) { last = step.loss; }});
  CHECK(last < 0.97 * report.loss);
}
