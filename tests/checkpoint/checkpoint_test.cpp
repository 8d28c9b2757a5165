#include "editable_file.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/sampler.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/description.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/schedule.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae_test::small_config;
using mae_test::small_dataset;

// ---- a training of which anything can be another -----------------------------------------------

/// Any mask, so that all trainings here are of one type.
struct any_mask {
  std::variant<mae::uniform_mask<>, mae::saliency_mask> mask;

  index_t max_visible(index_t patches) const {
    return std::visit([&](auto const& mine) { return mine.max_visible(patches); }, mask);
  }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& random) const {
    return std::visit([&](auto const& mine) { return mine.counts(image, random); }, mask);
  }
  void score(mae::mask_context const& image,
             mae::random_stream& random,
             std::span<float> scores) const {
    std::visit([&](auto const& mine) { mine.score(image, random, scores); }, mask);
  }
  mae::settings_list settings() const {
    return std::visit([](auto const& mine) { return mine.settings(); }, mask);
  }
};
static_assert(mae::MaskPolicy<any_mask>);

/// Any objective.
struct any_objective {
  std::variant<mae::normalised_pixels, mae::pixels> objective;

  constexpr index_t target_width(mae::model_config const& config) const {
    return config.patch_values();
  }
  template <class T>
  void target(mae::model_config const& config,
              matrix_view<T const> patches,
              std::span<mae::patch_index const> rows,
              matrix_view<T> targets) const {
    std::visit([&](auto const& mine) { mine.target(config, patches, rows, targets); }, objective);
  }
  mae::settings_list settings() const {
    return std::visit([](auto const& mine) { return mine.settings(); }, objective);
  }
};
static_assert(mae::Objective<any_objective>);

/// Images of which one may have a pixel that is not finite.
struct image_set {
  small_dataset images;
  index_t poisoned = -1;

  mae::image_extent extent() const { return images.extent(); }
  index_t size() const { return images.size(); }
  double pixel_scale() const { return images.pixel_scale(); }
  index_t label(index_t index) const { return images.label(index); }
  index_t num_classes() const { return images.num_classes(); }
  void read(index_t index, std::span<float> pixels) const {
    images.read(index, pixels);
    if (index == poisoned) pixels[301] = std::numeric_limits<float>::quiet_NaN();
  }
};
static_assert(mae::Dataset<image_set>);

using model_type =
    mae::autoencoder<small_config, any_mask, mae::eigen_backend<float>, any_objective>;

/// What a training is made of. Five steps an epoch, four epochs.
struct ingredients {
  image_set images{mae_test::painted_images(40, 1)};
  mae::training_options options{
      .seed = 3, .batch_size = 8, .steps = 20, .lr = 1e-2, .warmup_epochs = 0.5, .clip = 0.5};
  mae::adamw rule = {};
  any_mask mask{mae::uniform_mask<>(0.75)};
  any_objective objective{mae::normalised_pixels{}};
  double norm_epsilon = 1e-6;
  int threads = 2;
  std::uint64_t model_seed = 5;
  mae::patch_loss loss = {};
};

/// A model and its trainer.
struct training {
  image_set images;
  model_type model;
  mae::trainer<model_type, image_set> trainer;

  explicit training(ingredients const& of)
      : images(of.images), model(make_model(of)), trainer(model, images, of.options, of.rule) {}
  training(training const&) = delete;
  training& operator=(training const&) = delete;
  ~training() = default;

 private:
  static model_type make_model(ingredients const& of) {
    model_type made({.seed = of.model_seed,
                     .mask = of.mask,
                     .objective = of.objective,
                     .backend = mae::eigen_backend<float>(of.threads),
                     .norm_epsilon = of.norm_epsilon,
                     .loss = of.loss});
    // Not of the poisoned pixel, which a trainer refuses.
    made.set_statistics(mae::channel_statistics(of.images.images, made.backend().threads()));
    return made;
  }
};

/// All that the next steps of a training say, its doubles as bits: a skipped step's loss is NaN.
std::vector<std::uint64_t> train(training& of, std::int64_t steps) {
  std::vector<std::uint64_t> said;
  auto const note = [&](auto... values) {
    (said.push_back(std::bit_cast<std::uint64_t>(values)), ...);
  };
  std::int64_t const last = of.trainer.progress().step + steps;
  of.trainer.run({.on_step =
                      [&](mae::step_report const& report) {
                        note(report.step, report.total_steps, report.epoch, report.images);
                        note(report.loss, report.baseline, report.gradient_norm, report.lr);
                        note(std::int64_t{report.ends_epoch}, std::int64_t{report.skipped});
                      },
                  .on_epoch =
                      [&](mae::epoch_report const& report) {
                        note(report.epoch, report.steps, report.loss, report.baseline);
                      },
                  .should_stop = [&] { return of.trainer.progress().step == last; }});
  REQUIRE(of.trainer.progress().step == last);
  return said;
}

/// Trains 2 `steps` steps without a break, and with a break after `steps` of them: the second half
/// in another model by a trainer of other threads, which has been in use before.
void check_exact_resume(ingredients const& of, std::int64_t steps) {
  CAPTURE(steps);
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  training uninterrupted(of);
  train(uninterrupted, steps);
  auto const expected = train(uninterrupted, steps);

  training first(of);
  train(first, steps);
  mae::save_training(path, first.trainer);

  for (int const threads : {1, 2, 3}) {
    CAPTURE(threads);
    ingredients changed = of;
    changed.threads = threads;
    changed.model_seed = 99;
    training second(changed);
    if (threads > 1) train(second, threads);
    auto const report = mae::load_training(path, second.trainer);
    CHECK(report.step == steps);
    CHECK_FALSE(report.schedule_changed());
    CHECK(mae_test::state_of(second.trainer) == mae_test::state_of(first.trainer));
    CHECK(second.trainer.optimizer().steps() == first.trainer.optimizer().steps());

    std::string const again = folder.file("again.safetensors");
    mae::save_training(again, second.trainer);
    CHECK(read_text(again) == read_text(path));

    CHECK(train(second, steps) == expected);
    CHECK(mae_test::state_of(second.trainer) == mae_test::state_of(uninterrupted.trainer));
  }
}

/// After one step, within the second epoch, at the end of an epoch.
void check_exact_resume(ingredients const& of) {
  for (std::int64_t const steps : {1, 5, 7}) check_exact_resume(of, steps);
}

// ---- a file, and trainings that refuse it ------------------------------------------------------

/// A training of seven steps, of which epoch sums and both counts of steps are not trivial.
struct saved_training {
  mae_test::temporary_folder folder;
  std::string path = folder.file("training.safetensors");
  training saved;

  explicit saved_training(ingredients const& of = {}) : saved(of) {
    train(saved, 7);
    mae::save_training(path, saved.trainer);
  }

  /// A training made of `of` must throw `Error` and stay as it is; what the error says after the
  /// file's name.
  template <class Error>
  std::string refusal(ingredients const& of = {}) const {
    training refusing(of);
    train(refusing, 2);
    auto const before = mae_test::state_of(refusing.trainer);
    auto const steps = refusing.trainer.optimizer().steps();
    auto const statistics = refusing.model.statistics();
    std::string const what = refusal_of<Error>([&] { mae::load_training(path, refusing.trainer); });
    CHECK(mae_test::state_of(refusing.trainer) == before);
    CHECK(refusing.trainer.optimizer().steps() == steps);
    CHECK(refusing.model.statistics() == statistics);
    REQUIRE(what.starts_with(path + ": "));
    return what.substr(path.size() + 2);
  }
  template <class Error>
  std::string refusal_after(auto const& change) const {
    editable_file file(path);
    change(file);
    std::string const intact = read_text(path);
    file.save(path);
    std::string const what = refusal<Error>();
    write_text(path, intact);
    return what;
  }
};

}  // namespace

TEST_CASE("a resumed training repeats the uninterrupted one bit for bit") {
  check_exact_resume({});
}

TEST_CASE("a training whose masks are ragged resumes bit for bit") {
  ingredients of;
  of.mask = {mae::saliency_mask({.training = {.mean = -4, .deviation = 0.5}})};
  check_exact_resume(of);
}

TEST_CASE("a training of accumulated batches resumes bit for bit") {
  ingredients of;
  of.options.batch_size = 4;
  of.options.accumulate = 2;
  of.mask = {mae::saliency_mask({.training = {.mean = -4, .deviation = 0.5}})};
  check_exact_resume(of);
}

TEST_CASE("a training that has skipped a step resumes bit for bit") {
  ingredients of;
  of.options.non_finite = mae::non_finite_policy::skip;
  of.options.augment.crop_min = 1;  // no crop leaves the pixel out
  mae::epoch_sampler sampler(of.images.size(), of.options.batch_size, of.options.seed);
  of.images.poisoned = sampler.indices(0, 1).front();
  training probe(of);
  train(probe, 7);
  REQUIRE(probe.trainer.progress().optimizer_steps < 7);
  check_exact_resume(of);
}

TEST_CASE("a training that is done resumes as one that is done") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  training first({});
  train(first, 20);
  mae::save_training(path, first.trainer);
  training second({});
  mae::load_training(path, second.trainer);
  CHECK(second.trainer.is_done());
  CHECK(second.trainer.run({.on_step = [](mae::step_report const&) { FAIL("a step too many"); }}));
}

TEST_CASE("a resume may raise the length, for which the schedule is computed anew") {
  saved_training const file;
  auto const resume = [&](mae::training_options const& options) {
    ingredients longer;
    longer.options = options;
    training resumed(longer);
    auto const report = mae::load_training(file.path, resumed.trainer);
    CHECK(report.step == 7);
    CHECK(report.previous_total_steps == 20);
    CHECK(report.total_steps == 30);
    CHECK(report.schedule_changed());
    CHECK(mae_test::state_of(resumed.trainer) == mae_test::state_of(file.saved.trainer));
    auto const step = resumed.trainer.step();
    mae::cosine_schedule const schedule{.peak = 1e-2, .warmup_steps = 2.5, .total_steps = 30};
    CHECK(step.lr == schedule(7));
    CHECK(step.total_steps == 30);
  };
  auto options = ingredients{}.options;
  options.steps = 30;
  resume(options);
  options.steps.reset();
  options.epochs = 6;
  resume(options);
}

TEST_CASE("a resume cannot shorten the length") {
  saved_training const file;
  ingredients shorter;
  shorter.options.steps = 19;
  CHECK(file.refusal<mae::config_error>(shorter) ==
        "the training was to take 20 steps; it can be resumed for more, but not for 19");
}

TEST_CASE("every other difference of the options is refused by name") {
  saved_training const file;
  auto const refusal = [&](auto const& change) {
    ingredients changed;
    change(changed.options);
    return file.refusal<mae::config_error>(changed);
  };
  CHECK(refusal([](auto& o) { o.seed = 4; }) == "seed is 3 in the file, but 4 here");
  CHECK(refusal([](auto& o) { o.batch_size = 7; }) == "batch_size is 8 in the file, but 7 here");
  CHECK(refusal([](auto& o) { o.accumulate = 2; }) == "accumulate is 1 in the file, but 2 here");
  CHECK(refusal([](auto& o) { o.lr = 0.011; }) == "lr is 0.01 in the file, but 0.011 here");
  CHECK(refusal([](auto& o) { o.warmup_epochs = 0; }) ==
        "warmup_epochs is 0.5 in the file, but 0 here");
  CHECK(refusal([](auto& o) { o.clip = 0; }) == "clip is 0.5 in the file, but 0 here");
  auto const other_decay = [](auto& o) { o.groups.layer_decay = 0.75; };
  CHECK(refusal(other_decay) == "layer_decay is 1 in the file, but 0.75 here");
  CHECK(refusal([](auto& o) { o.groups.tokens_decay = false; }) ==
        "tokens_decay is yes in the file, but no here");
  CHECK(refusal([](auto& o) { o.groups.frozen = 2; }) == "frozen is 0 in the file, but 2 here");
  CHECK(refusal([](auto& o) { o.min_lr = 1e-6; }) == "min_lr is 0 in the file, but 1e-06 here");
  auto const dropping = [](auto& o) { o.drop_path = 0.1; };
  CHECK(refusal(dropping) == "drop_path is 0 in the file, but 0.1 here");
  CHECK(refusal([](auto& o) { o.changes.magnitude = 9; }) ==
        "rand_augment is no in the file, but 9 0.5 2 here");
  auto const grey = [](auto& o) { o.colours.grey = 0.2; };
  CHECK(refusal(grey) == "grey is 0 in the file, but 0.2 here");
  auto const brighter = [](auto& o) { o.colours.jitter.brightness = 0.4; };
  CHECK(refusal(brighter) == "jitter is no in the file, but 0.4 0 0 0 0.8 here");
  auto const blurred = [](auto& o) { o.colours.blur.probability = 0.5; };
  CHECK(refusal(blurred) == "blur is no in the file, but 0.5 0.1 2 0 here");
  auto const solarised = [](auto& o) { o.colours.solarise.probability = 0.1; };
  CHECK(refusal(solarised) == "solarise is no in the file, but 0.1 0.5 here");
  auto const erasing = [](auto& o) { o.erasing = 0.25; };
  CHECK(refusal(erasing) == "erasing is 0 in the file, but 0.25 here");
  CHECK(refusal([](auto& o) { o.augment.crop_min = 0.3; }) ==
        "crop_min is 0.2 in the file, but 0.3 here");
  CHECK(refusal([](auto& o) { o.augment.flip = false; }) == "flip is yes in the file, but no here");
  CHECK(refusal([](auto& o) { o.augment.kind = mae::interpolation::bilinear; }) ==
        "interpolation is bicubic in the file, but bilinear here");
  CHECK(refusal([](auto& o) { o.non_finite = mae::non_finite_policy::skip; }) ==
        "non_finite is stop in the file, but skip here");
  // The next number that a double can hold.
  CHECK(refusal([](auto& o) { o.lr = std::nextafter(o.lr, 1.0); }) ==
        "lr is 0.01 in the file, but 0.010000000000000002 here");
  // Older files do not tell: there was no other.
  editable_file older(file.path);
  older.metadata.erase("layer_decay");
  older.metadata.erase("drop_path");
  older.metadata.erase("erasing");
  for (char const* const name : {"jitter", "grey", "blur", "solarise"}) older.metadata.erase(name);
  older.save(file.path);
  CHECK(refusal(other_decay) == "layer_decay is 1 in the file, but 0.75 here");
  CHECK(refusal(dropping) == "drop_path is 0 in the file, but 0.1 here");
  CHECK(refusal(erasing) == "erasing is 0 in the file, but 0.25 here");
  CHECK(refusal(grey) == "grey is 0 in the file, but 0.2 here");
  CHECK(refusal(brighter) == "jitter is no in the file, but 0.4 0 0 0 0.8 here");
  CHECK(refusal(blurred) == "blur is no in the file, but 0.5 0.1 2 0 here");
  CHECK(refusal(solarised) == "solarise is no in the file, but 0.1 0.5 here");
}

TEST_CASE("another mask, objective, model or dataset is refused by name") {
  saved_training const file;
  auto const refusal = [&](auto const& change) {
    ingredients changed;
    change(changed);
    return file.refusal<mae::config_error>(changed);
  };
  CHECK(refusal([](auto& of) { of.mask = {mae::uniform_mask<>(0.5)}; }) ==
        "mask_ratio is 0.75 in the file, but 0.5 here");
  CHECK(refusal([](auto& of) { of.mask = {mae::saliency_mask({.swing = 0})}; }) ==
        "mask is uniform in the file, but saliency here");
  CHECK(refusal([](auto& of) { of.objective = {mae::normalised_pixels{.epsilon = 4e-3}}; }) ==
        "target_epsilon is 1e-06 in the file, but 0.004 here");
  CHECK(refusal([](auto& of) { of.objective = {mae::pixels{}}; }) ==
        "objective is normalised in the file, but pixels here");
  CHECK(refusal([](auto& of) { of.norm_epsilon = 1e-5; }) ==
        "norm_epsilon is 1e-06 in the file, but 1e-05 here");
  auto const other_images = [](auto& of) { of.images.images = mae_test::painted_images(40, 2); };
  auto const more_images = [](auto& of) { of.images.images = mae_test::painted_images(48, 1); };
  CHECK(refusal(other_images).starts_with("the training has seen other images than these: "));
  CHECK(refusal(more_images).starts_with("the training has seen other images than these: "));
  // An older file does not tell of its images, but what they decide is compared.
  editable_file older(file.path);
  older.metadata.erase("mae.data_fingerprint");
  older.save(file.path);
  CHECK(refusal(other_images).starts_with("pixel_deviation is "));
  CHECK(refusal(more_images) == "steps_per_epoch is 5 in the file, but 6 here");
}

TEST_CASE("another loss is refused by name, also where an older file does not tell of its own") {
  saved_training const file;
  ingredients changed;
  changed.loss = {.of = mae::patch_loss::kind::l1};
  CHECK(file.refusal<mae::config_error>(changed) == "loss is squared in the file, but l1 here");
  editable_file older(file.path);
  older.metadata.erase("loss");
  older.save(file.path);
  CHECK(file.refusal<mae::config_error>(changed) == "loss is squared in the file, but l1 here");
  training same({});
  CHECK_NOTHROW(mae::load_training(file.path, same.trainer));

  ingredients smooth;
  smooth.loss = {.of = mae::patch_loss::kind::smooth_l1, .beta = 0.5};
  saved_training const smooth_file(smooth);
  smooth.loss.beta = 0.25;
  CHECK(smooth_file.refusal<mae::config_error>(smooth) ==
        "loss_beta is 0.5 in the file, but 0.25 here");
}

TEST_CASE("a file that does not tell of its images resumes, and the report says so") {
  saved_training const file;
  training known({});
  CHECK(mae::load_training(file.path, known.trainer).knows_images);
  editable_file older(file.path);
  older.metadata.erase("mae.data_fingerprint");
  older.save(file.path);
  training unknown({});
  CHECK_FALSE(mae::load_training(file.path, unknown.trainer).knows_images);
  CHECK(mae_test::state_of(unknown.trainer) == mae_test::state_of(file.saved.trainer));
}

TEST_CASE("progress that contradicts itself is refused") {
  saved_training const file;  // 7 steps of 20, 5 an epoch
  auto const refusal = [&](mae::safetensors_metadata const& progress) {
    return file.refusal_after<mae::format_error>([&](auto& changed) {
      for (auto const& [name, value] : progress) changed.metadata[name] = value;
    });
  };
  std::string const contradicts = "at byte 8: metadata: the progress contradicts itself: ";
  CHECK(refusal({{"step", "21"}}) == contradicts + "step is beyond total_steps");
  CHECK(refusal({{"total_steps", "6"}}) == contradicts + "step is beyond total_steps");
  CHECK(refusal({{"optimizer_steps", "8"}}) == contradicts + "optimizer_steps are more than step");
  CHECK(refusal({{"epoch_steps", "3"}}) ==
        contradicts + "epoch_steps are more than the epoch's steps so far");
  CHECK(refusal({{"step", "0"}, {"optimizer_steps", "0"}, {"epoch_steps", "1"}}) ==
        contradicts + "epoch_steps are more than all");
  CHECK(refusal({{"optimizer_steps", "1"}}) == contradicts + "epoch_steps are more than all");
  CHECK(refusal({{"epoch_steps", "1"}}) ==
        contradicts + "more steps are left out of the epoch than of the training");
  CHECK(refusal({{"epoch_loss", "-1"}}) == contradicts + "a sum of losses is below 0");
  CHECK(refusal({{"epoch_baseline", "-1e-9"}}) == contradicts + "a sum of losses is below 0");
  CHECK(refusal({{"optimizer_steps", "5"}, {"epoch_steps", "0"}}) ==
        contradicts + "there are losses of an epoch without steps");
}

TEST_CASE("what is not finite is not saved over what is") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a.safetensors");
  training of({});
  train(of, 1);
  auto const values = of.model.parameters().values();
  auto const& tensor = of.model.layout().find("blocks.1.attn.proj.weight");
  float& value = values[static_cast<std::size_t>(tensor.offset + tensor.size() - 1)];
  float const finite = value;
  auto const check = [&](auto const& save) {
    save();
    std::string const before = read_text(path);
    for (float const wrong : {std::numeric_limits<float>::quiet_NaN(),
                              std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
      value = wrong;
      CHECK(refusal_of<mae::numeric_error>(save) ==
            path + ": not saved: blocks.1.attn.proj.weight is not finite");
      value = finite;
    }
    CHECK(read_text(path) == before);
    CHECK(folder.entries() == 1);
  };
  check([&] { mae::save_training(path, of.trainer); });
  check([&] { mae::save_model(path, of.model); });
  check([&] { mae::save_encoder(path, of.model); });
  value = std::numeric_limits<float>::max();  // and its like are finite
  CHECK_NOTHROW(mae::save_model(path, of.model));
  value = std::numeric_limits<float>::denorm_min();
  CHECK_NOTHROW(mae::save_model(path, of.model));
}

TEST_CASE("every other constant of the update rule is refused by name") {
  saved_training const file;
  auto const refusal = [&](mae::adamw const& rule) {
    ingredients changed;
    changed.rule = rule;
    return file.refusal<mae::config_error>(changed);
  };
  CHECK(refusal({.weight_decay = 0}) == "weight_decay is 0.05 in the file, but 0 here");
  CHECK(refusal({.beta1 = 0.8}) == "beta1 is 0.9 in the file, but 0.8 here");
  CHECK(refusal({.beta2 = 0.999}) == "beta2 is 0.95 in the file, but 0.999 here");
  CHECK(refusal({.epsilon = 1e-6}) == "adam_epsilon is 1e-08 in the file, but 1e-06 here");
}

TEST_CASE("moments that are not finite are not saved, by their names") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a.safetensors");
  training of({});
  train(of, 1);
  auto const moments = of.trainer.optimizer().state("first_moment");
  std::vector<float> poisoned(moments.begin(), moments.end());
  std::vector<float> const zeros(poisoned.size());
  auto const& tensor = of.model.layout().find("norm.weight");
  poisoned[static_cast<std::size_t>(tensor.offset)] = std::numeric_limits<float>::infinity();
  auto const progress = of.trainer.progress();
  of.trainer.resume(progress, std::array<std::span<float const>, 2>{poisoned, zeros});
  CHECK(refusal_of<mae::numeric_error>([&] { mae::save_training(path, of.trainer); }) ==
        path + ": not saved: optimizer.first_moment.norm.weight is not finite");
  of.trainer.resume(progress, std::array<std::span<float const>, 2>{zeros, poisoned});
  CHECK(refusal_of<mae::numeric_error>([&] { mae::save_training(path, of.trainer); }) ==
        path + ": not saved: optimizer.second_moment.norm.weight is not finite");
  CHECK(folder.entries() == 0);
}

/// A backend whose objects differ in precision, as a GPU's do.
struct rounding_backend : mae::eigen_backend<float> {
  using mae::eigen_backend<float>::eigen_backend;
  char const* precision() const { return "tf32"; }
};

TEST_CASE_TEMPLATE("another precision is refused by name",
                   Backend,
                   mae::eigen_backend<mae::bfloat16>,
                   rounding_backend) {
  saved_training const file;
  ingredients const of;
  Backend const backend(1);
  mae::autoencoder<small_config, any_mask, Backend, any_objective> model(
      {.seed = of.model_seed, .mask = of.mask, .objective = of.objective, .backend = backend});
  mae::trainer trainer(model, of.images, of.options);
  CHECK(refusal_of<mae::config_error>([&] { mae::load_training(file.path, trainer); }) ==
        file.path + ": precision is fp32 in the file, but " + backend.precision() + " here");
}

TEST_CASE("a saliency mask is refused by the name of what differs") {
  ingredients of;
  mae::saliency_options options{.training = {.mean = -4, .deviation = 0.5}};
  of.mask = {mae::saliency_mask(options)};
  saved_training const file(of);
  options.strength = 0.25;
  of.mask = {mae::saliency_mask(options)};
  CHECK(file.refusal<mae::config_error>(of) ==
        "saliency_strength is 0.5 in the file, but 0.25 here");
  options.strength = 0.5;
  options.training.mean = -5;
  of.mask = {mae::saliency_mask(options)};
  CHECK(file.refusal<mae::config_error>(of) == "saliency_mean is -4 in the file, but -5 here");
}

TEST_CASE("everything that a file says is compared, but for where the training stands") {
  saved_training const file;
  std::set<std::string> const stands{
      "step", "optimizer_steps", "epoch_steps", "epoch_loss", "epoch_baseline", "total_steps"};
  std::string const images = "mae.data_fingerprint";  // compared in a test of its own
  editable_file const original(file.path);
  std::size_t compared = 0;
  for (auto const& entry : original.metadata) {
    auto const& name = entry.first;
    auto const& value = entry.second;
    if (stands.contains(name) || name == images) continue;
    CAPTURE(name);
    ++compared;
    CHECK(file.refusal_after<mae::config_error>([&](auto& changed) {
      changed.metadata[name] = "another";
    }) == name + " is another in the file, but " + value + " here");
  }
  for (auto const& [name, value] : mae::describe(small_config))
    CHECK(original.metadata.at(name) == value);
  for (auto const* name : {"lanes", "shards", "contents", "precision"})
    CHECK(original.metadata.contains(name));
  CHECK(original.metadata.at(images).size() == 16);
  CHECK(compared == original.metadata.size() - stands.size() - 1);
}

TEST_CASE("a file that does not say where its training stands is refused") {
  saved_training const file;
  auto const refusal = [&](std::string const& name, std::string const& value) {
    return file.refusal_after<mae::format_error>(
        [&](auto& changed) { changed.metadata[name] = value; });
  };
  for (std::string const name : {"step", "optimizer_steps", "epoch_steps", "total_steps"}) {
    CAPTURE(name);
    for (std::string const text :
         {"", "x", "-1", "+1", " 1", "1 ", "1.5", "1e3", "0x1", "9223372036854775808"}) {
      CAPTURE(text);
      CHECK(refusal(name, text) == "at byte 8: metadata: " + name + " is no count: " + text);
    }
  }
  for (std::string const name : {"epoch_loss", "epoch_baseline"}) {
    CAPTURE(name);
    for (std::string const text : {"", "1 2"}) {
      CAPTURE(text);
      CHECK(refusal(name, text) == "at byte 8: metadata: " + name + " is no number: " + text);
    }
    for (std::string const text : {"x", "1 x", "nan", "inf"}) {
      CAPTURE(text);
      CHECK(refusal(name, text) == "at byte 8: metadata: not a list of numbers: " + text);
    }
  }
  for (std::string const name :
       {"step", "optimizer_steps", "epoch_steps", "total_steps", "epoch_loss", "epoch_baseline"})
    CHECK(file.refusal_after<mae::format_error>([&](auto& changed) {
      changed.metadata.erase(name);
    }) == "at byte 8: metadata: " + name + " is missing: no training's checkpoint");
}

TEST_CASE("a file whose tensors are not those of the training is refused by the tensor's name") {
  saved_training const file;
  auto const refusal = [&](auto const& change) {
    return file.refusal_after<mae::format_error>(change);
  };
  for (std::string const prefix : {"", "optimizer.first_moment.", "optimizer.second_moment."}) {
    CAPTURE(prefix);
    std::string const name = prefix + "blocks.1.attn.proj.weight";
    CHECK(refusal([&](auto& changed) { changed.remove(name); }) ==
          "at byte 8: tensor " + name + " is missing; the model has it as [24, 24]");
    CHECK(refusal([&](auto& changed) { changed.tensor(name).shape = {576}; }) ==
          "at byte 8: tensor " + name + " is [576] in the file, but [24, 24] in the model");
    CHECK(refusal([&](auto& changed) { changed.tensor(name).type = mae::dtype::i32; }) ==
          "at byte 8: tensor " + name + " is I32, not F16, BF16, F32 or F64");
    CHECK(refusal([&](auto& changed) {
            auto extra = changed.tensor(name);
            extra.name = prefix + "blocks.2.attn.proj.weight";
            changed.tensors.push_back(extra);
          }) == "at byte 8: tensor " + prefix +
                    "blocks.2.attn.proj.weight [24, 24] is in the file, but not in the model");
  }
}

TEST_CASE("positions are stored, but have no moments") {
  saved_training const file;
  editable_file saved(file.path);
  std::size_t expected = 0;
  for (auto const& tensor : file.saved.model.layout().tensors())
    expected += tensor.kind == mae::tensor_kind::parameter ? 3 : 1;
  CHECK(saved.tensors.size() == expected);
  CHECK(saved.tensor("pos_embed").shape == std::vector<index_t>{1, 17, 24});
  CHECK(saved.tensor("optimizer.first_moment.patch_embed.proj.weight").shape ==
        std::vector<index_t>{24, 3, 4, 4});
}

TEST_CASE("a damaged or missing file is refused") {
  saved_training const file;
  std::string const intact = read_text(file.path);
  for (std::size_t at = 9; at < intact.size(); at += intact.size() / 20) {
    CAPTURE(at);
    std::string damaged = intact;
    damaged[at] = static_cast<char>(damaged[at] ^ 16);
    write_text(file.path, damaged);
    CHECK(file.refusal<mae::format_error>().starts_with("at byte "));
  }
  std::filesystem::remove(file.path);
  CHECK(file.refusal<mae::io_error>() == "open: No such file or directory");
}

TEST_CASE("a training's file loads as a model and as an encoder, but neither as a training") {
  saved_training const file;
  training other({.model_seed = 99});
  mae::load_model(file.path, other.model);
  CHECK(mae_test::bits_of(other.model.parameters().values()) ==
        mae_test::bits_of(file.saved.model.parameters().values()));
  CHECK(other.model.statistics() == file.saved.model.statistics());

  auto const encoder = mae::load_encoder<small_config>(file.path);
  auto const expected = mae::encoder_of(file.saved.model);
  CHECK(mae_test::bits_of(encoder.parameters().values()) ==
        mae_test::bits_of(expected.parameters().values()));
  CHECK(encoder.statistics() == file.saved.model.statistics());

  std::string const no_training = "at byte 8: metadata: step is missing: no training's checkpoint";
  mae::save_model(file.path, file.saved.model);
  CHECK(file.refusal<mae::format_error>() == no_training);
  mae::save_encoder(file.path, file.saved.model);
  CHECK(file.refusal<mae::format_error>() == no_training);
}

TEST_CASE("a checkpoint that cannot be written leaves the old one") {
  saved_training file;
  std::string const before = read_text(file.path);
  train(file.saved, 1);
  CHECK_THROWS_AS(mae::save_training(file.path + "/new", file.saved.trainer), mae::io_error);
  CHECK_THROWS_AS(mae::save_training(file.folder.path().string(), file.saved.trainer),
                  mae::io_error);
  CHECK(read_text(file.path) == before);
  CHECK(file.folder.entries() == 1);
}
