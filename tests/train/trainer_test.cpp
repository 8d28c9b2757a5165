#include "forked_child.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/objective.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/schedule.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae_test::small_config;

/// A user's dataset: bars across the image, computed when they are asked for.
struct bars {
  mae::image_extent shape = small_config.image;
  index_t count = 50;

  mae::image_extent extent() const { return shape; }
  index_t size() const { return count; }
  double pixel_scale() const { return 1; }
  index_t label(index_t /*index*/) const { return -1; }
  index_t num_classes() const { return 0; }
  void read(index_t index, std::span<float> pixels) const {
    auto const row_values = static_cast<std::size_t>(shape.width * shape.channels);
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = std::sin(static_cast<float>(index) + 0.5F * static_cast<float>(i / row_values));
  }
};
static_assert(mae::Dataset<bars>);

/// What a mask policy was shown, in any thread.
struct seen_contexts {
  struct moment {
    index_t epoch = 0;
    double progress = 0;
    std::set<std::uint64_t> images = {};
  };
  std::mutex mutex;
  std::map<std::int64_t, moment> steps;
};

/// A user's mask policy: it hides the image's left side, and notes what it is shown.
struct left_hidden {
  std::shared_ptr<seen_contexts> seen = std::make_shared<seen_contexts>();

  index_t max_visible(index_t patches) const { return patches / 2; }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& /*random*/) const {
    std::lock_guard const lock(seen->mutex);
    auto& moment = seen->steps[image.step];
    moment.epoch = image.epoch;
    moment.progress = image.progress;
    moment.images.insert(image.dataset_index);
    return {.visible = image.patches.rows / 2, .target = image.patches.rows / 2};
  }
  void score(mae::mask_context const& image,
             mae::random_stream& /*random*/,
             std::span<float> scores) const {
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = -static_cast<float>(static_cast<index_t>(i) % image.grid_columns);
  }
};
static_assert(mae::MaskPolicy<left_hidden>);

/// A mask that says more or less of itself than it does: it shows a quarter of the patches.
struct bounded_mask {
  index_t bound = 4;

  index_t max_visible(index_t /*patches*/) const { return bound; }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& /*random*/) const {
    return {.visible = image.patches.rows / 4, .target = image.patches.rows / 2};
  }
  void score(mae::mask_context const& /*image*/,
             mae::random_stream& random,
             std::span<float> scores) const {
    mae::score_noise(random, scores);
  }
};
static_assert(mae::MaskPolicy<bounded_mask>);

/// A user's objective: whether the patch is brighter than its image.
struct brightness {
  constexpr index_t target_width(mae::model_config const& /*config*/) const { return 1; }
  template <class T>
  void target(mae::model_config const& /*config*/,
              matrix_view<T const> patches,
              std::span<mae::patch_index const> rows,
              matrix_view<T> targets) const {
    auto const sum = [](std::span<T const> values) {
      T total = 0;
      for (T const value : values) total += value;
      return total;
    };
    T image = 0;
    for (index_t row = 0; row < patches.rows; ++row) image += sum(patches.row(row));
    for (std::size_t r = 0; r < rows.size(); ++r) {
      bool const brighter = sum(patches.row(rows[r])) * static_cast<T>(patches.rows) > image;
      targets(static_cast<index_t>(r), 0) = brighter ? T{1} : T{-1};
    }
  }
};
static_assert(mae::Objective<brightness>);

using model_type =
    mae::autoencoder<small_config, left_hidden, mae::eigen_backend<float>, brightness>;

model_type make_model() {
  return model_type({.seed = 2, .backend = mae::eigen_backend<float>(2)});
}

/// Five steps an epoch, eleven in all, of 50 images.
constexpr mae::training_options eleven_steps{
    .seed = 3, .batch_size = 5, .accumulate = 2, .steps = 11, .lr = 1e-2, .warmup_epochs = 1};

/// What a trainer over these says; empty where it accepts them.
std::string refusal(bars const& dataset, mae::training_options const& options) {
  auto model = make_model();
  try {
    mae::trainer const trainer(model, dataset, options);
  } catch (mae::config_error const& error) {
    CHECK(model.statistics().mean.empty());  // another dataset may set them
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a user's dataset, mask and objective train") {
  bars const dataset;
  auto model = make_model();
  CHECK(std::get<0>(model.sizes().heads).label_width() == 1);
  mae::trainer trainer(
      model, dataset, {.batch_size = 25, .epochs = 200, .lr = 1e-2, .augment = {.crop_min = 1}});
  mae::step_report last;
  CHECK(trainer.run({.on_step = [&](mae::step_report const& report) { last = report; }}));
  CHECK(last.baseline == 1.0);
  CHECK(last.loss < 0.1);
}

TEST_CASE("a trainer measures the dataset, unless the model brings statistics") {
  bars const dataset;
  auto model = make_model();
  CHECK(model.statistics().mean.empty());
  mae::trainer const trainer(model, dataset, eleven_steps);
  CHECK(model.statistics() == mae::channel_statistics(dataset, model.backend().threads()));

  auto prepared = make_model();
  mae::pixel_statistics const own{.mean = {1, 2, 3}, .deviation = {4, 5, 6}, .scale = 1};
  prepared.set_statistics(own);
  mae::trainer const other(prepared, dataset, eleven_steps);
  CHECK(prepared.statistics() == own);
}

TEST_CASE("trainings of more steps or epochs than numbers have are refused") {
  bars const dataset;
  constexpr index_t most = std::numeric_limits<index_t>::max();
  constexpr index_t most_epochs = std::numeric_limits<std::uint32_t>::max();
  char const* const sentence = "a training has at most 2^32 - 1 epochs";
  CHECK(refusal(dataset, {.batch_size = 10, .epochs = most}) == sentence);
  CHECK(refusal(dataset, {.batch_size = 10, .epochs = most_epochs + 1}) == sentence);
  CHECK(refusal(dataset, {.batch_size = 10, .steps = most}) == sentence);
  CHECK(refusal(dataset, {.batch_size = 10, .steps = 5 * most_epochs + 1}) == sentence);
  auto model = make_model();
  CHECK(mae::trainer(model, dataset, {.batch_size = 10, .epochs = most_epochs}).total_steps() ==
        5 * most_epochs);
}

TEST_CASE("a mask policy that bounds its visible patches by nonsense is refused") {
  bars const dataset;
  for (index_t const bound : {index_t{0}, index_t{-3}, index_t{17}}) {
    mae::autoencoder<small_config, bounded_mask> model({.mask = {bound}});
    std::string const sentence =
        "the mask policy's max_visible says " + std::to_string(bound) + " visible patches of 16";
    CHECK_THROWS_WITH_AS(
        mae::trainer(model, dataset, {.batch_size = 10}), sentence.c_str(), mae::config_error);
    CHECK(model.statistics().mean.empty());
  }
  mae::autoencoder<small_config, bounded_mask> model({.mask = {3}});
  mae::trainer trainer(model, dataset, {.batch_size = 10});
  CHECK_THROWS_WITH_AS(trainer.step(),
                       "the mask policy shows 4 patches of an image, more than its max_visible, 3",
                       mae::config_error);
}

TEST_CASE("a training goes on in a forked child with the same bits") {
  bars const dataset;
  auto const parameters_after = [](auto& trainer) {
    trainer.run();
    return mae_test::bits_of(trainer.model().parameters().values());
  };
  auto model = make_model();
  mae::trainer trainer(model, dataset, eleven_steps);
  trainer.step();
  auto reference = make_model();
  mae::trainer whole(reference, dataset, eleven_steps);
  auto const expected = parameters_after(whole);
  CHECK(mae_test::holds_in_child([&] { return parameters_after(trainer) == expected; }));
  CHECK(parameters_after(trainer) == expected);
}

TEST_CASE("steps have the schedule's rates, and the first, of rate 0, moves no parameter") {
  bars const dataset;
  auto model = make_model();
  mae::trainer trainer(model, dataset, eleven_steps);
  CHECK(trainer.steps_per_epoch() == 5);
  CHECK(trainer.total_steps() == 11);
  mae::cosine_schedule const lr{.peak = 1e-2, .warmup_steps = 5, .total_steps = 11};
  auto const start = mae_test::bits_of(model.parameters().values());
  for (std::int64_t step = 0; step < 11; ++step) {
    CHECK_FALSE(trainer.is_done());
    auto const report = trainer.step();
    CHECK(report.lr == lr(step));
    CHECK(report.step == step + 1);
    CHECK(report.total_steps == 11);
    CHECK(report.epoch == step / 5);
    CHECK(report.ends_epoch == (step % 5 == 4));
    CHECK(report.images == 10);
    CHECK(report.seconds > 0);
    CHECK_FALSE(report.skipped);
    CHECK((mae_test::bits_of(model.parameters().values()) == start) == (step == 0));
  }
  CHECK(trainer.is_done());
  CHECK(trainer.run());
  CHECK(trainer.progress().step == 11);
}

TEST_CASE("epochs set the number of steps where nothing else does") {
  bars const dataset;
  auto model = make_model();
  auto options = eleven_steps;
  options.steps.reset();
  options.epochs = 3;
  mae::trainer const trainer(model, dataset, options);
  CHECK(trainer.total_steps() == 15);
}

TEST_CASE("callbacks come after each step and after each epoch, the last and cut one too") {
  bars const dataset;
  auto model = make_model();
  mae::trainer trainer(model, dataset, eleven_steps);
  std::string calls;
  std::vector<double> losses;
  std::vector<double> baselines;
  std::vector<mae::epoch_report> epochs;
  CHECK(trainer.run({.on_step =
                         [&](mae::step_report const& report) {
                           calls += 's';
                           losses.push_back(report.loss);
                           baselines.push_back(report.baseline);
                         },
                     .on_epoch =
                         [&](mae::epoch_report const& report) {
                           calls += 'e';
                           epochs.push_back(report);
                         },
                     .should_stop =
                         [&] {
                           calls += '?';
                           return false;
                         }}));
  CHECK(calls ==
        "s?s?s?s?se?"
        "s?s?s?s?se?"
        "se");
  REQUIRE(epochs.size() == 3);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    std::size_t const steps = epoch < 2 ? 5 : 1;
    double loss = 0;
    double baseline = 0;
    for (std::size_t i = 5 * epoch; i < 5 * epoch + steps; ++i) {
      loss += losses[i] / static_cast<double>(steps);
      baseline += baselines[i] / static_cast<double>(steps);
    }
    CHECK(epochs[epoch].epoch == static_cast<index_t>(epoch));
    CHECK(epochs[epoch].steps == static_cast<index_t>(steps));
    CHECK(epochs[epoch].loss == doctest::Approx(loss).epsilon(1e-12));
    CHECK(epochs[epoch].baseline == doctest::Approx(baseline).epsilon(1e-12));
  }
}

TEST_CASE("a training that was told to stop goes on where it stopped") {
  bars const dataset;
  auto model = make_model();
  auto uninterrupted = make_model();
  mae::trainer trainer(model, dataset, eleven_steps);
  mae::trainer reference(uninterrupted, dataset, eleven_steps);
  int steps = 0;
  CHECK_FALSE(trainer.run({.on_step = [&](mae::step_report const&) { ++steps; },
                           .should_stop = [&] { return steps == 7; }}));
  CHECK(steps == 7);
  CHECK(trainer.progress().step == 7);
  CHECK_FALSE(trainer.is_done());
  CHECK(trainer.run());
  CHECK(reference.run());
  CHECK(mae_test::state_of(trainer) == mae_test::state_of(reference));
}

TEST_CASE("masks are told the step, the epoch and the progress of the training") {
  bars const dataset;
  auto model = make_model();
  mae::trainer trainer(model, dataset, eleven_steps);
  trainer.run();
  auto const& steps = model.mask().seen->steps;
  REQUIRE(steps.size() == 11);
  std::vector<std::set<std::uint64_t>> epochs(3);
  for (auto const& [step, moment] : steps) {
    CHECK(moment.epoch == step / 5);
    CHECK(moment.progress == doctest::Approx(static_cast<double>(step) / 11.0).epsilon(1e-15));
    CHECK(moment.images.size() == 10);  // of both accumulated batches
    epochs[static_cast<std::size_t>(moment.epoch)].insert(moment.images.begin(),
                                                          moment.images.end());
  }
  CHECK(epochs[0].size() == 50);  // each image once an epoch
  CHECK(epochs[1].size() == 50);
  CHECK(steps.at(0).images != steps.at(5).images);
}

TEST_CASE("what does not fit together is refused when the trainer is made") {
  CHECK(refusal({}, eleven_steps).empty());
  for (mae::image_extent const extent :
       {mae::image_extent{32, 16, 3}, mae::image_extent{16, 32, 3}, mae::image_extent{16, 16, 1}})
    CHECK(refusal({.shape = extent}, eleven_steps) ==
          "the dataset's images have another height, width or number of channels than the "
          "model's");
  CHECK(refusal({.count = 9}, eleven_steps) ==
        "a batch of 10 images is larger than the dataset, which has 9");

  auto options = eleven_steps;
  options.steps = 5;
  CHECK(refusal({}, options) == "the warm-up is as long as the whole training");
  options.warmup_epochs = 0.8;
  CHECK(refusal({}, options).empty());
  options.lr = 0;
  CHECK(refusal({}, options) == "the learning rate must be positive");
}
