#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/sampler.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_dataset;
using model_type = mae_test::small_model<>;

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

/// A user's dataset, one image of which has a pixel that is not finite.
struct poisoned_dataset {
  small_dataset images = mae_test::painted_images(64, 3);
  index_t poisoned = 0;
  float poison = not_a_number;

  mae::image_extent extent() const { return images.extent(); }
  index_t size() const { return images.size(); }
  double pixel_scale() const { return images.pixel_scale(); }
  index_t label(index_t index) const { return images.label(index); }
  index_t num_classes() const { return images.num_classes(); }
  void read(index_t index, std::span<float> pixels) const {
    images.read(index, pixels);
    if (index == poisoned) pixels[301] = poison;
  }
};
static_assert(mae::Dataset<poisoned_dataset>);

/// Four steps an epoch. Whole images, so that no crop leaves the pixel out.
constexpr mae::training_options four_steps{.seed = 4,
                                           .batch_size = 16,
                                           .epochs = 3,
                                           .lr = 1e-2,
                                           .warmup_epochs = 0,
                                           .augment = {.crop_min = 1}};

/// An image that step `step`, from 1, of a training by these options sees for the first time.
index_t image_of_step(mae::training_options const& options, index_t step) {
  mae::epoch_sampler sampler(64, options.batch_size * options.accumulate, options.seed);
  return sampler.indices(0, step - 1).back();
}

/// A backend of the host that is treated as a device: each step loads the next one's batch.
struct loading_ahead : mae::eigen_backend<float> {
  using mae::eigen_backend<float>::eigen_backend;
  static constexpr bool uses_host_memory = false;
};
using loading_ahead_model =
    mae::autoencoder<mae_test::small_config, mae::uniform_mask<mae::ratio{3, 4}>, loading_ahead>;

template <class Model = model_type>
Model make_model(poisoned_dataset const& dataset) {
  Model model({.seed = 8, .backend = typename Model::backend_type(2)});
  model.set_statistics(mae::channel_statistics(dataset.images, model.backend().threads()));
  return model;
}

std::optional<mae::numeric_error> error_of_step(auto& trainer) {
  try {
    trainer.step();
  } catch (mae::numeric_error const& error) {
    return error;
  }
  return std::nullopt;
}

/// Steps once, which must fail, name `step` and `tensor`, and change nothing.
void check_refused(auto& trainer, std::int64_t step, std::string const& tensor) {
  auto const before = mae_test::state_of(trainer);
  auto const error = error_of_step(trainer);
  REQUIRE(error);
  CHECK(error->step() == step);
  CHECK(error->tensor() == tensor);
  CHECK(mae_test::state_of(trainer) == before);
}

}  // namespace

TEST_CASE("a pixel that is not finite ends the training in the step that sees it") {
  for (float const poison : {not_a_number, infinity, -infinity})
    for (index_t const step : {1, 3}) {
      CAPTURE(poison);
      CAPTURE(step);
      poisoned_dataset const dataset{.poisoned = image_of_step(four_steps, step), .poison = poison};
      auto model = make_model(dataset);
      mae::trainer trainer(model, dataset, four_steps);
      for (index_t i = 1; i < step; ++i) trainer.step();
      check_refused(trainer, step, "the loss");
      check_refused(trainer, step, "the loss");  // as often as it is tried
      CHECK_THROWS_AS(trainer.run(), mae::numeric_error);
    }
}

TEST_CASE("a pixel that is not finite is found when the trainer measures the dataset") {
  for (float const poison : {not_a_number, infinity, -infinity}) {
    CAPTURE(poison);
    poisoned_dataset const dataset{.poisoned = 40, .poison = poison};
    model_type model;
    CHECK_THROWS_WITH_AS(mae::trainer(model, dataset, four_steps),
                         "image 40 has a pixel that is not finite",
                         mae::config_error);
    CHECK(model.statistics().mean.empty());
  }
}

TEST_CASE("a pixel that is not finite is found in the last of several accumulated batches") {
  auto options = four_steps;
  options.batch_size = 8;
  options.accumulate = 2;
  poisoned_dataset const dataset{.poisoned = image_of_step(options, 2)};
  auto model = make_model(dataset);
  mae::trainer trainer(model, dataset, options);
  trainer.step();
  check_refused(trainer, 2, "the loss");
}

TEST_CASE("a refused first step of an epoch keeps the record of the epoch before") {
  poisoned_dataset dataset{.poisoned = -1};
  auto model = make_model(dataset);
  mae::trainer trainer(model, dataset, four_steps);
  for (int i = 0; i < 4; ++i) trainer.step();
  REQUIRE(trainer.progress().epoch_steps == 4);
  mae::epoch_sampler sampler(64, 16, four_steps.seed);
  dataset.poisoned = sampler.indices(1, 0).front();
  check_refused(trainer, 5, "the loss");
}

TEST_CASE_TEMPLATE(
    "a parameter that is not finite is found in the next step, which can be tried again",
    Model,
    model_type,
    loading_ahead_model) {
  poisoned_dataset const dataset{.poisoned = -1};
  auto model = make_model<Model>(dataset);
  auto intact = make_model(dataset);
  mae::trainer trainer(model, dataset, four_steps);
  mae::trainer reference(intact, dataset, four_steps);
  for (auto const* name : {"blocks.1.mlp.fc1.weight", "mask_token", "decoder_pred.bias"})
    for (float const poison : {not_a_number, infinity}) {
      CAPTURE(name);
      CAPTURE(poison);
      float& parameter = model.parameters().tensor(name).back();
      float const kept = parameter;
      parameter = poison;
      check_refused(trainer, trainer.progress().step + 1, "the loss");
      parameter = kept;
      trainer.step();
      reference.step();
      CHECK(mae_test::state_of(trainer) == mae_test::state_of(reference));
    }
}

TEST_CASE("an infinite gradient is found while the loss is still finite, and is named") {
  poisoned_dataset const dataset{.poisoned = -1};
  auto model = make_model(dataset);
  mae::trainer trainer(model, dataset, four_steps);
  trainer.step();
  // The head scales up again what the last norm scales down: predictions are about 1 and gradients
  // before that norm moderate. Its own gradients sum, over all targets, terms of 2e37.
  auto const fill = [&](char const* name, float value) {
    std::ranges::fill(model.parameters().tensor(name), value);
  };
  fill("decoder_norm.weight", 1e-38F);
  fill("decoder_norm.bias", 0.0F);
  fill("decoder_pred.weight", 1e37F);
  fill("decoder_pred.bias", 1.0F);
  check_refused(trainer, 2, "the gradient of decoder_norm.weight");
}

TEST_CASE("by the policy to skip, a step that is not finite is left out, and training goes on") {
  auto options = four_steps;
  options.non_finite = mae::non_finite_policy::skip;
  poisoned_dataset const dataset{.poisoned = image_of_step(options, 2)};
  auto model = make_model(dataset);
  mae::trainer trainer(model, dataset, options);

  std::vector<mae::step_report> steps;
  std::vector<mae::epoch_report> epochs;
  auto before = mae_test::state_of(trainer);
  CHECK(trainer.run(
      {.on_step =
           [&](mae::step_report const& report) {
             auto const after = mae_test::state_of(trainer);
             CHECK((after.values == before.values) == report.skipped);
             CHECK((after.states[0] == before.states[0]) == report.skipped);
             CHECK((after.states[1] == before.states[1]) == report.skipped);
             before = after;
             steps.push_back(report);
           },
       .on_epoch = [&](mae::epoch_report const& report) { epochs.push_back(report); }}));

  REQUIRE(steps.size() == 12);
  CHECK(trainer.progress().step == 12);
  CHECK(trainer.progress().optimizer_steps == 9);  // each epoch has the image in one step
  CHECK(trainer.optimizer().steps() == 9);
  CHECK(steps[1].skipped);
  CHECK(std::ranges::count(steps, true, &mae::step_report::skipped) == 3);
  REQUIRE(epochs.size() == 3);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    double loss = 0;
    for (auto const& step : std::span(steps).subspan(4 * epoch, 4)) {
      CHECK(std::isfinite(step.loss) == !step.skipped);
      if (!step.skipped) loss += step.loss;
    }
    CHECK(epochs[epoch].steps == 3);
    CHECK(epochs[epoch].loss == doctest::Approx(loss / 3).epsilon(1e-12));
  }
}

TEST_CASE("an epoch whose steps were all left out has no loss") {
  auto options = four_steps;
  options.epochs = 1;
  options.non_finite = mae::non_finite_policy::skip;
  poisoned_dataset const dataset{.poisoned = -1};
  auto model = make_model(dataset);
  model.parameters().tensor("mask_token").back() = not_a_number;
  mae::trainer trainer(model, dataset, options);
  std::vector<mae::epoch_report> epochs;
  CHECK(trainer.run(
      {.on_epoch = [&](mae::epoch_report const& report) { epochs.push_back(report); }}));
  REQUIRE(epochs.size() == 1);
  CHECK(epochs[0].steps == 0);
  CHECK(std::isnan(epochs[0].loss));
  CHECK(std::isnan(epochs[0].baseline));
}
