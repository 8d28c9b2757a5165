#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/normalise.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/frozen_teacher.hpp>
#include <mae/model/moving_teacher.hpp>
#include <mae/objective/teacher_tokens.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/optional_average.hpp>
#include <mae/optimizer/with_average.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

// A teacher that is its student's moving average.

namespace {

using mae::index_t;
using mae_test::small_config;
using fp32 = mae::eigen_backend<float>;
using averaging = mae::with_average<mae::adamw>;
using student =
    mae::autoencoder<small_config, mae::uniform_mask<mae::ratio{3, 4}>, fp32, mae::teacher_tokens>;

mae_test::small_dataset const& images() {
  static auto const all = mae_test::painted_images(120, 3);
  return all;
}

mae::pixel_statistics const& statistics() {
  static auto const all = [] {
    mae::thread_pool threads(2);
    return mae::channel_statistics(images(), threads);
  }();
  return all;
}

student make_student(int threads, index_t blocks = 2) {
  mae::teacher_tokens const targets(mae::moving_teacher(small_config, fp32(1), blocks),
                                    statistics());
  return student({.seed = 1, .objective = targets, .backend = fp32(threads)});
}

averaging rule(double momentum = 0.9) {
  return averaging(mae::adamw{}, {.momentum = momentum});
}

mae::training_options options_of(index_t steps) {
  return {.batch_size = 16, .steps = steps, .lr = 2e-3, .warmup_epochs = 0};
}

/// What a teacher makes of all patches of an image.
std::vector<float> targets_of(mae::teacher_tokens const& objective, index_t image) {
  std::vector<float> pixels(static_cast<std::size_t>(small_config.image.values()));
  images().read(image, pixels);
  mae::normalise_pixels(pixels, statistics());
  std::vector<float> cut(pixels.size());
  mae::patchify(pixels, small_config.image, small_config.patch, {cut.data(), 16, 48});
  std::vector<mae::patch_index> rows(16);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<mae::patch_index>(i);
  std::vector<float> targets(16 * 24);
  objective.target<float>(small_config, {cut.data(), 16, 48}, rows, {targets.data(), 16, 24});
  return targets;
}

/// A frozen teacher of these values of a model's layout.
mae::teacher_tokens frozen_at(student const& model, std::span<float const> values, index_t blocks) {
  mae::encoder<small_config> encoder(0, fp32(1));
  std::vector<float> own(static_cast<std::size_t>(encoder.layout().size()));
  for (auto const& tensor : encoder.layout().tensors())
    std::copy_n(values.data() + model.layout().find(tensor.name).offset,
                tensor.size(),
                own.data() + tensor.offset);
  encoder.set_parameters(own);
  encoder.set_statistics(statistics());
  return {mae::frozen_teacher(std::move(encoder), blocks), statistics()};
}

template <class Call>
std::string refusal_of(Call const& call) {
  try {
    call();
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

template <class E = mae::alone>
mae_test::training_state train(int threads, mae::training_options const& options, E exchange = {}) {
  auto model = make_student(threads);
  mae::trainer training(model, images(), options, rule(), exchange);
  training.run();
  return mae_test::state_of(training);
}

}  // namespace

TEST_CASE("a moving teacher is the average of its student before every step") {
  for (index_t const blocks : {1, 2}) {
    auto model = make_student(2, blocks);
    mae::trainer training(model, images(), options_of(4), rule());
    std::vector<float> before;
    while (!training.is_done()) {
      auto const found = targets_of(model.objective(), 5);
      auto const average = training.optimizer().state("average");
      CHECK(found == targets_of(frozen_at(model, average, blocks), 5));
      CHECK(found != before);
      before = found;
      training.step();
    }
    CHECK(before != targets_of(model.objective(), 5));
  }
}

TEST_CASE("with a momentum of 0 the teacher is the student itself") {
  auto model = make_student(1);
  mae::trainer training(model, images(), options_of(3), rule(0));
  training.run();
  CHECK(targets_of(model.objective(), 7) ==
        targets_of(frozen_at(model, model.parameters().values(), 2), 7));
}

TEST_CASE("the labels of a step are the moving teacher's") {
  auto model = make_student(1);
  mae::trainer training(model, images(), options_of(2), rule());
  training.step();
  auto taught = frozen_at(model, training.optimizer().state("average"), 2);
  student same({.seed = 1, .objective = taught, .backend = fp32(1)});
  mae::trainer frozen(same, images(), options_of(2), rule());
  std::ranges::copy(model.parameters().values(), same.parameters().values().begin());
  frozen.resume(training.progress(), [&] {
    static std::vector<std::span<float const>> states;
    states.clear();
    for (char const* const name : averaging::state_names)
      states.push_back(training.optimizer().state(name));
    return std::span<std::span<float const> const>(states);
  }());
  auto const expected = frozen.step();
  auto const found = training.step();
  CHECK(found.loss == expected.loss);
  CHECK(found.gradient_norm == expected.gradient_norm);
  CHECK(mae_test::state_of(training) == mae_test::state_of(frozen));
}

TEST_CASE("a moving teacher leaves the same bits with any threads and processes, and is resumed") {
  auto options = options_of(5);
  options.accumulate = 2;
  options.batch_size = 60;
  auto const expected = train(1, options);
  CHECK(train(3, options) == expected);

  auto const run = [&](auto exchange) { return train(1, options, exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);

  mae_test::temporary_folder const folder;
  auto const file = folder.file("training");
  auto begun = make_student(2);
  mae::trainer first(begun, images(), options, rule());
  first.step();
  first.step();
  mae::save_training(file, first);
  auto resumed = make_student(2);
  mae::trainer second(resumed, images(), options, rule());
  mae::load_training(file, second);
  second.run();
  CHECK(mae_test::state_of(second) == expected);

  auto other = make_student(2);
  mae::trainer refused(other, images(), options, rule(0.5));
  CHECK(refusal_of([&] { mae::load_training(file, refused); }).find("average_momentum") !=
        std::string::npos);
}

TEST_CASE("an average that is chosen when the program runs leaves the bits of one that is not") {
  auto const train_by = [](auto const& by) {
    mae_test::small_model<> model({.seed = 1, .backend = fp32(2)});
    mae::trainer training(model, images(), options_of(4), by);
    training.run();
    return mae_test::state_of(training);
  };
  using optional_rule = mae::optional_average<mae::adamw>;
  CHECK(train_by(optional_rule(mae::adamw{})) == train_by(mae::adamw{}));
  mae::average_options const average{.momentum = 0.9, .last_momentum = 0.99};
  CHECK(train_by(optional_rule(mae::adamw{}, average)) ==
        train_by(averaging(mae::adamw{}, average)));
  CHECK(optional_rule(mae::adamw{}).name() == "adamw");
  CHECK(optional_rule(mae::adamw{}, average).name() == "adamw+average");
  CHECK(optional_rule(mae::adamw{}, average).settings() ==
        averaging(mae::adamw{}, average).settings());
}

TEST_CASE("a moving teacher without an average, or that has seen nothing, is refused") {
  auto model = make_student(1);
  CHECK(refusal_of([&] { mae::trainer(model, images(), options_of(2)); }) ==
        "the update rule adamw keeps no average that a teacher could follow: train by one that "
        "does, with_average");
  CHECK(model.statistics().mean.empty());
  CHECK(refusal_of([&] {
          targets_of(model.objective(), 0);
        }).starts_with("a teacher that follows its student has not seen it"));
  CHECK(refusal_of([] { mae::moving_teacher(small_config, fp32(1), 3); }) ==
        "the mean of the last 3 blocks of a teacher that has 2");

  for (bool const is_wider : {true, false}) {
    auto other = small_config;
    (is_wider ? other.encoder.width : other.encoder.depth) = is_wider ? 12 : 1;
    student made({.seed = 1,
                  .objective = {mae::moving_teacher(other, fp32(1)), statistics()},
                  .backend = fp32(1)});
    CHECK(refusal_of([&] {
            mae::trainer(made, images(), options_of(2), rule());
          }).starts_with("a teacher that follows its student was made for an encoder of other"));
  }
}

TEST_CASE("two models that share a moving teacher are found out") {
  mae::teacher_tokens const shared(mae::moving_teacher(small_config, fp32(1)), statistics());
  student one({.seed = 1, .objective = shared, .backend = fp32(1)});
  student two({.seed = 2, .objective = shared, .backend = fp32(1)});
  mae::trainer first(one, images(), options_of(3), rule());
  first.step();
  mae::trainer second(two, images(), options_of(3), rule());
  second.step();
  CHECK(refusal_of([&] { first.step(); }).starts_with("a teacher follows one student"));
  second.step();
}

TEST_CASE("a student of doubles may have a frozen teacher, and none that follows it") {
  using exact = mae::eigen_backend<double>;
  using model = mae::
      autoencoder<small_config, mae::uniform_mask<mae::ratio{3, 4}>, exact, mae::teacher_tokens>;
  mae::encoder<small_config> encoder(3, fp32(1));
  encoder.set_statistics(statistics());
  mae::teacher_tokens const frozen(mae::frozen_teacher<fp32>(std::move(encoder)), statistics());
  model taught({.seed = 1, .objective = frozen, .backend = exact(1)});
  mae::trainer training(taught, images(), options_of(2));
  CHECK(std::isfinite(training.step().loss));
  mae::teacher_tokens const moving(mae::moving_teacher(small_config, fp32(1)), statistics());
  model follower({.seed = 1, .objective = moving, .backend = exact(1)});
  CHECK(refusal_of([&] { mae::trainer(follower, images(), options_of(2), rule()); }) ==
        "a teacher that follows its student reads floats, not doubles");
}
