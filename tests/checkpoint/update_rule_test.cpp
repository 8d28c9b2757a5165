#include "rule_archetype.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/network/layout.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/lion.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/optimizer/with_average.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace {

constexpr mae::training_options twenty_steps{
    .seed = 3, .batch_size = 8, .steps = 20, .lr = 1e-3, .warmup_epochs = 0.5, .clip = 0.5};

mae_test::small_dataset const& images() {
  static mae_test::small_dataset const painted = mae_test::painted_images(40, 1);
  return painted;
}

/// A model, and its trainer by a rule.
template <mae::UpdateRule Rule>
struct training {
  explicit training(Rule const& rule, int threads = 2)
      : model({.seed = 5, .backend = mae::eigen_backend<float>(threads)}),
        trainer(model, images(), twenty_steps, rule) {}

  void take(std::int64_t steps) {
    for (std::int64_t i = 0; i < steps; ++i) trainer.step();
  }

  mae_test::small_model<> model;
  mae::trainer<mae_test::small_model<>, mae_test::small_dataset, Rule> trainer;
};

template <class Rule>
training(Rule const&, int = 2) -> training<Rule>;

/// With a break after `steps`, in another model by a trainer of other threads, which has been in
/// use before.
template <mae::UpdateRule Rule>
void check_exact_resume(Rule const& rule, std::int64_t steps) {
  CAPTURE(rule.name());
  CAPTURE(steps);
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  training whole(rule);
  whole.take(steps);
  mae::save_training(path, whole.trainer);
  whole.take(20 - steps);

  training resumed(rule, 3);
  resumed.take(2);
  mae::load_training(path, resumed.trainer);
  resumed.take(20 - steps);
  CHECK(mae_test::state_of(resumed.trainer) == mae_test::state_of(whole.trainer));
}

/// What a training by `rule` says of a file by `saved`.
template <mae::UpdateRule Saved, mae::UpdateRule Rule>
std::string refusal(Saved const& saved, Rule const& rule) {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  training of(saved);
  of.take(1);
  mae::save_training(path, of.trainer);
  training other(rule);
  auto const before = mae_test::state_of(other.trainer);
  std::string said;
  try {
    mae::load_training(path, other.trainer);
  } catch (mae::config_error const& error) {
    said = std::string(error.what()).substr(path.size() + 2);
  }
  CHECK(mae_test::state_of(other.trainer) == before);
  return said;
}

}  // namespace

TEST_CASE("a training by any rule resumes bit for bit") {
  for (std::int64_t const steps : {0, 1, 7, 19}) {
    check_exact_resume(mae::adamw{}, steps);
    check_exact_resume(mae::lion{}, steps);
    check_exact_resume(mae::sgd{.weight_decay = 0.01, .nesterov = true}, steps);
    check_exact_resume(mae::with_average(mae::adamw{}, {.momentum = 0.9, .last_momentum = 0.99}),
                       steps);
    check_exact_resume(mae::with_average(mae::lion{}, {.momentum = 0.5}), steps);
    check_exact_resume(mae_test::rule_archetype{}, steps);
  }
}

TEST_CASE("a training of another rule is refused by both names") {
  CHECK(refusal(mae::lion{}, mae::adamw{}) ==
        "the training's update rule is lion, but adamw here: resume it with its own, or begin "
        "another with its parameters");
  // Files of AdamW's do not name it, so that they are what they were before there were others.
  CHECK(refusal(mae::adamw{}, mae::sgd{})
            .starts_with("the training's update rule is adamw, but sgd here"));
  CHECK(refusal(mae::adamw{}, mae::with_average(mae::adamw{}))
            .starts_with("the training's update rule is adamw, but adamw+average here"));
  CHECK(refusal(mae::with_average(mae::lion{}), mae::lion{})
            .starts_with("the training's update rule is lion+average, but lion here"));
}

TEST_CASE("a rule's other constants are refused by name") {
  CHECK(refusal(mae::lion{}, mae::lion{.beta2 = 0.9}) == "beta2 is 0.99 in the file, but 0.9 here");
  CHECK(refusal(mae::sgd{}, mae::sgd{.momentum = 0.5}) ==
        "momentum is 0.9 in the file, but 0.5 here");
  CHECK(refusal(mae::sgd{}, mae::sgd{.nesterov = true}) ==
        "nesterov is no in the file, but yes here");
  CHECK(refusal(mae::with_average(mae::sgd{}),
                mae::with_average(mae::sgd{}, {.last_momentum = 0.9999})) ==
        "average_last_momentum is 0.999 in the file, but 0.9999 here");
  CHECK(refusal(mae_test::rule_archetype{}, mae_test::rule_archetype{.rate = 0.5}) ==
        "rate is 0.9 in the file, but 0.5 here");
}

TEST_CASE("a file holds a rule's states under their names, and AdamW's no name of a rule") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  training of(mae::with_average(mae::lion{}));
  of.take(1);
  mae::save_training(path, of.trainer);
  auto const file = mae::safetensors_file::load(path);
  CHECK(file.metadata().at("optimizer") == "lion+average");
  CHECK(file.find("optimizer.momentum.norm.weight") != nullptr);
  CHECK(file.find("optimizer.average.norm.weight") != nullptr);
  CHECK(file.find("optimizer.average.pos_embed") == nullptr);
  CHECK(file.find("optimizer.first_moment.norm.weight") == nullptr);

  training plain(mae::adamw{});
  mae::save_training(path, plain.trainer);
  CHECK(!mae::safetensors_file::load(path).metadata().contains("optimizer"));
}

TEST_CASE("an average is a model's parameters: its encoder can be kept") {
  training of(mae::with_average(mae::adamw{}, {.momentum = 0.9}));
  auto const average = [&] { return of.trainer.optimizer().state("average"); };
  CHECK(mae_test::bits_of(average()) == mae_test::bits_of(of.model.parameters().values()));
  of.take(5);
  CHECK(mae_test::bits_of(average()) != mae_test::bits_of(of.model.parameters().values()));
  mae_test::small_model<> averaged({.seed = 1});
  averaged.set_parameters(average());
  auto const& positions = of.model.layout().find("pos_embed");
  auto const from = static_cast<std::size_t>(positions.offset);
  CHECK(averaged.parameters().values()[from + 30] == of.model.parameters().values()[from + 30]);
}
