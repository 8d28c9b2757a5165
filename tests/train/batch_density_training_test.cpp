// Masks whose counts depend on the batch, and on what was learned of each image, in trainings.
#include "editable_file.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/batch_density.hpp>
#include <mae/mask/density.hpp>
#include <mae/mask/density_mask.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/loss_density.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/train/batch_counts.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_config;

mae_test::small_dataset const& images() {
  static auto const all = mae_test::painted_images(80, 3);
  return all;
}

mae::density_quantiles measured() {
  mae::thread_pool threads(1);
  return mae::measure_density(
      mae::density_measure::variance,
      images().size(),
      small_config.image,
      small_config.patch,
      [](index_t i, std::span<float> pixels) { images().read(i, pixels); },
      threads);
}

/// A density mask that keeps what it decided of each batch; or, where it is told so, one whose
/// budget is the training's.
class recording_mask : public mae::batch_density_mask {
 public:
  recording_mask() : recording_mask(true) {}
  explicit recording_mask(bool by_batch)
      : mae::batch_density_mask({.ratio = 0.7, .swing = 0.2, .training = measured()}),
        by_batch_(by_batch) {}

  bool counts_with_batch() const { return by_batch_; }
  mae::settings_list settings() const {
    return by_batch_ ? mae::batch_density_mask::settings()
                     : mae::density_mask(options()).settings();
  }

  void counts_of_batch(std::span<double const> wishes,
                       index_t patches,
                       std::span<index_t> visible) const {
    mae::batch_density_mask::counts_of_batch(wishes, patches, visible);
    index_t hidden = 0;
    for (index_t const count : visible) hidden += patches - count;
    hidden_.push_back(hidden);
  }
  std::vector<index_t> const& hidden() const { return hidden_; }

 private:
  bool by_batch_;
  mutable std::vector<index_t> hidden_;
};
static_assert(mae::BatchMask<recording_mask>);

using batch_model = mae_test::small_model<recording_mask>;
using loss_model = mae_test::small_model<mae::loss_density_mask>;

mae::training_options options_of(index_t batch, index_t accumulate = 1, index_t views = 1) {
  return {.batch_size = batch, .accumulate = accumulate, .views = views, .steps = 8, .lr = 1e-3};
}

batch_model make(mae::training_options const& /*options*/, batch_model const* /*of*/, int threads) {
  return batch_model({.seed = 1, .backend = mae::eigen_backend<float>(threads)});
}
loss_model make(mae::training_options const& options, loss_model const* /*of*/, int threads) {
  mae::loss_density_mask const mask({.swing = 0.15,
                                     .images = images().size(),
                                     .samples = options.samples() * options.accumulate});
  return loss_model({.seed = 1, .mask = mask, .backend = mae::eigen_backend<float>(threads)});
}

struct outcome {
  mae_test::training_state training;
  std::vector<std::uint32_t> mask;

  friend bool operator==(outcome const&, outcome const&) = default;
};

template <class Trainer>
outcome outcome_of(Trainer const& trainer) {
  outcome all{mae_test::state_of(trainer), {}};
  if constexpr (mae::LearningMask<std::remove_cvref_t<decltype(trainer.model().mask())>>)
    for (std::size_t k = 0; k < 3; ++k)
      for (auto const bits : mae_test::bits_of(trainer.model().mask().state(k)))
        all.mask.push_back(bits);
  return all;
}

template <class Model, class E = mae::alone>
outcome train(mae::training_options const& options, int threads = 1, E exchange = {}) {
  auto model = make(options, static_cast<Model const*>(nullptr), threads);
  mae::trainer trainer(model, images(), options, mae::adamw{}, exchange);
  trainer.run();
  return outcome_of(trainer);
}

template <class Model>
void check_threads_and_ranks(mae::training_options const& options) {
  auto const expected = train<Model>(options);
  CHECK(train<Model>(options, 3) == expected);
  auto const run = [&](auto exchange) { return train<Model>(options, 2, exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
}

template <class Model>
void check_resume(mae::training_options const& options, int at = 5) {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("training.safetensors");
  auto model = make(options, static_cast<Model const*>(nullptr), 2);
  mae::trainer whole(model, images(), options);
  for (int i = 0; i < at; ++i) whole.step();
  mae::save_training(file, whole);
  whole.run();
  auto other = make(options, static_cast<Model const*>(nullptr), 2);
  mae::trainer resumed(other, images(), options);
  mae::load_training(file, resumed);
  resumed.run();
  CHECK(outcome_of(resumed) == outcome_of(whole));
}

}  // namespace

TEST_CASE("every batch hides its budget exactly, views and accumulated batches too") {
  for (auto const& [accumulate, views] : {std::pair{1, 1}, std::pair{2, 2}}) {
    auto const options = options_of(21, accumulate, views);
    auto model = make(options, static_cast<batch_model const*>(nullptr), 2);
    mae::trainer trainer(model, images(), options);
    trainer.run();
    auto const& hidden = model.mask().hidden();
    REQUIRE(std::ssize(hidden) >= 8 * accumulate);
    for (index_t const count : hidden) CHECK(count == std::lround(21 * views * 16 * 0.7));
  }
}

TEST_CASE("a budget of the batch leaves the same bits for any threads and processes") {
  check_threads_and_ranks<batch_model>(options_of(40));
  check_threads_and_ranks<batch_model>(options_of(20, 1, 2));
}

TEST_CASE("a density by losses leaves the same bits for any threads and processes") {
  check_threads_and_ranks<loss_model>(options_of(40, 2));
}

TEST_CASE("both are resumed exactly") {
  check_resume<batch_model>(options_of(20));
  check_resume<loss_model>(options_of(20));
}

TEST_CASE("a resume refuses another budget, in either direction, and of older files") {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("training.safetensors");
  auto options = options_of(4);
  options.warmup_epochs = 0;
  auto const refusal = [&](bool by_batch) {
    batch_model model({.seed = 1, .mask = recording_mask(by_batch)});
    mae::trainer trainer(model, images(), options);
    return refusal_of<mae::config_error>([&] { mae::load_training(file, trainer); });
  };
  std::string const nothing = "nothing was thrown";
  for (bool const by_batch : {false, true}) {
    CAPTURE(by_batch);
    batch_model model({.seed = 1, .mask = recording_mask(by_batch)});
    mae::trainer trainer(model, images(), options);
    trainer.step();
    mae::save_training(file, trainer);
    CHECK(refusal(by_batch) == nothing);
    CHECK(refusal(!by_batch) ==
          file + (by_batch ? ": mask_budget is batch in the file, but training here"
                           : ": mask_budget is training in the file, but batch here"));
    if (by_batch) continue;
    editable_file older(file);
    older.metadata.erase("mask_budget");
    older.save(file);
    CHECK(refusal(false) == nothing);
    CHECK(refusal(true) == file + ": mask_budget is training in the file, but batch here");
  }
}

TEST_CASE("a density by losses comes to know every image that it is told of") {
  for (index_t const accumulate : {1, 2}) {
    CAPTURE(accumulate);
    auto const options = options_of(20, accumulate);
    auto model = make(options, static_cast<loss_model const*>(nullptr), 2);
    mae::trainer trainer(model, images(), options);
    for (int step = 1; step <= 5; ++step) {
      trainer.step();
      index_t seen = 0;
      for (float const density : model.mask().state(0)) seen += density >= 0 ? 1 : 0;
      CHECK(seen == std::min<index_t>(80, 20 * accumulate * (step - 1)));  // a step late
    }
  }
}

TEST_CASE("a density by losses is resumed exactly between two of its distributions") {
  auto options = options_of(3);  // of 80 images: four batches are more than an eighth
  options.warmup_epochs = 0;
  auto model = make(options, static_cast<loss_model const*>(nullptr), 2);
  mae::trainer trainer(model, images(), options);
  std::vector<float> told;
  for (int step = 0; step < 7; ++step) {
    trainer.step();
    told.push_back(model.mask().state(2)[0]);
  }
  CHECK(told == std::vector<float>{0, 0, 3, 6, 9, 0, 3});
  check_resume<loss_model>(options, 4);
}

TEST_CASE("a density by losses refuses a painter whose losses are no squared errors") {
  for (auto const kind : {mae::patch_loss::kind::l1, mae::patch_loss::kind::smooth_l1}) {
    loss_model model(
        {.mask = mae::loss_density_mask({.images = 80, .samples = 20}), .loss = {.of = kind}});
    CHECK_THROWS_WITH_AS(
        mae::trainer(model, images(), options_of(20)),
        "the mask takes losses for squared errors, and the first head, decoder, has others: give "
        "it the squared loss, or take another mask",
        mae::config_error);
  }
}

TEST_CASE("counts of a batch beyond the policy's max_visible are refused") {
  struct generous_mask : mae::batch_density_mask {
    generous_mask() : mae::batch_density_mask({.training = {-1, 0}}) {}
    index_t max_visible(index_t /*patches*/) const { return 2; }
  };
  mae::thread_pool threads(1);
  std::vector<float> pixels(16 * 48);
  mae::mask_context const image{
      .patches = {pixels.data(), 16, 48}, .channels = 3, .patch_width = 4};
  std::vector<mae::image_index> const numbers(3);
  mae::batch_counts<generous_mask> counts;
  generous_mask const mask;
  counts.decide(mask, numbers, 16, threads, [&](index_t, auto const&, int) { return image; });
  mae::mask_plan plan(3, 16);
  std::vector<float> scores(16);
  mae::random_stream random({.use = mae::purpose::mask});
  CHECK_THROWS_WITH_AS(counts.plan(plan, 0, mask, image, random, scores),
                       "the mask policy shows 4 patches of an image, more than its max_visible, 2",
                       mae::config_error);
}
