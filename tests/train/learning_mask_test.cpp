#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "learning_mask_archetype.hpp"
#include "mailbox.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"
#include "trainable_archetype.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/contrast.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/head_schedule.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::place_mask;

constexpr index_t num_patches = 16;

template <class B>
using placed_model = mae::autoencoder<mae_test::small_config, place_mask, B>;

template <class B = mae::eigen_backend<float>>
placed_model<B> make_model(int threads = 2) {
  return placed_model<B>({.seed = 5, .mask = place_mask(num_patches), .backend = B(threads)});
}

labelled_images const& images() {
  static labelled_images const all(200);
  return all;
}

/// What a training leaves of a model and of its mask.
struct outcome {
  mae_test::training_state training;
  std::vector<std::uint32_t> places, updates;

  friend bool operator==(outcome const&, outcome const&) = default;
};

template <class Trainer>
outcome outcome_of(Trainer const& trainer) {
  auto const& mask = trainer.model().mask();
  return {mae_test::state_of(trainer),
          mae_test::bits_of(mask.state(0)),
          mae_test::bits_of(mask.state(1))};
}

mae::training_options options_of(index_t batch, index_t accumulate = 1) {
  return {.batch_size = batch, .accumulate = accumulate, .steps = 5, .lr = 1e-3};
}

template <class B, class E = mae::alone>
outcome train(mae::training_options const& options, int threads = 2, E exchange = {}) {
  auto model = make_model<B>(threads);
  mae::trainer trainer(model, images(), options, mae::adamw{}, exchange);
  trainer.run();
  return outcome_of(trainer);
}

template <class B>
void check_ranks(mae::training_options const& options, int most) {
  auto const expected = train<B>(options);
  for (int ranks = 2; ranks <= most; ranks *= 2) {
    CAPTURE(ranks);
    auto const run = [&](auto exchange) { return train<B>(options, 2, exchange); };
    for (auto const& one : mae_test::of_ranks(ranks, run)) CHECK(one == expected);
  }
}

/// Half of every image, always the same: and keeps what it is told.
class listening_mask {
 public:
  struct told {
    index_t image = 0;
    std::vector<float> patches, losses;
    std::vector<mae::patch_index> visible, targets;
  };
  static constexpr std::array<char const*, 1> state_names{"heard"};

  index_t max_visible(index_t patches) const { return patches / 2; }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream&) const {
    return {image.patches.rows / 2, image.patches.rows / 2};
  }
  void score(mae::mask_context const&, mae::random_stream& random, std::span<float> scores) const {
    mae::score_noise(random, scores);
  }
  index_t num_sums() const { return 1; }
  void add_gradient(mae::mask_feedback const& of, std::span<double> sums) const {
    sums[0] += 1;
    std::span<float const> const patches(of.image.patches.data,
                                         static_cast<std::size_t>(of.image.patches.size()));
    std::lock_guard const lock(heard_->mutex);
    heard_->all.push_back({static_cast<index_t>(of.image.dataset_index),
                           {patches.begin(), patches.end()},
                           {of.losses.begin(), of.losses.end()},
                           {of.visible.begin(), of.visible.end()},
                           {of.targets.begin(), of.targets.end()}});
  }
  void update(std::span<double const> sums, index_t images) {
    CHECK(sums[0] == static_cast<double>(images));
    state_ += 1;
  }
  std::span<float const> state(std::size_t) const { return {&state_, 1}; }
  std::span<float> state(std::size_t) { return {&state_, 1}; }

  std::vector<told> const& heard() const { return heard_->all; }

 private:
  struct record {
    std::mutex mutex;
    std::vector<told> all;
  };
  std::unique_ptr<record> heard_ = std::make_unique<record>();
  float state_ = 0;
};
static_assert(mae::LearningMask<listening_mask>);

/// Becomes infinite in the sums of step `at`, from 0.
class exploding_mask : public place_mask {
 public:
  explicit exploding_mask(std::int64_t at) : place_mask(num_patches), at_(at) {}

  void add_gradient(mae::mask_feedback const& told, std::span<double> sums) const {
    place_mask::add_gradient(told, sums);
    if (told.image.step == at_) sums[0] = std::numeric_limits<double>::infinity();
  }

 private:
  std::int64_t at_;
};
using exploding_model = mae::autoencoder<mae_test::small_config, exploding_mask>;

}  // namespace

TEST_CASE("a mask is told of each image what it saw, what it hid and what that cost") {
  mae::autoencoder<mae_test::small_config, listening_mask> model({.seed = 3});
  // Whole images, so that a patch is the dataset's.
  mae::trainer trainer(model,
                       images(),
                       {.batch_size = 70,
                        .accumulate = 2,
                        .steps = 1,
                        .warmup_epochs = 0,
                        .augment = {.crop_min = 1, .flip = false}});
  auto const report = trainer.step();
  auto const& heard = model.mask().heard();
  REQUIRE(heard.size() == 140);
  double total = 0;
  std::vector<float> pixels(static_cast<std::size_t>(mae_test::small_config.image.values()));
  std::vector<float> patches(pixels.size());
  for (auto const& told : heard) {
    for (float const loss : told.losses) total += static_cast<double>(loss) / (140 * 8);
    CHECK(told.losses.size() == 8);
    std::vector<mae::patch_index> both(told.visible);
    both.insert(both.end(), told.targets.begin(), told.targets.end());
    std::ranges::sort(both);
    for (std::size_t i = 0; i < both.size(); ++i) CHECK(both[i] == static_cast<int>(i));
    images().read(told.image, pixels);
    mae::patchify(std::span<float const>(pixels),
                  mae_test::small_config.image,
                  mae_test::small_config.patch,
                  mae::matrix_view<float>(patches.data(), num_patches, 48));
    CHECK(mae_test::bits_of(patches) == mae_test::bits_of(told.patches));
  }
  CHECK(std::abs(total - report.loss) <= 1e-6 * report.loss);
}

TEST_CASE("a mask learns of a step when the next one's masks are drawn") {
  auto model = make_model();
  mae::trainer trainer(model, images(), options_of(50));
  std::vector<float> places(num_patches);
  for (int step = 1; step <= 4; ++step) {
    auto const pending = trainer.progress().mask;
    trainer.step();
    CHECK(trainer.progress().mask.images == 50);
    CHECK(model.mask().state(1)[0] == static_cast<float>(step - 1));
    for (std::size_t i = 0; i < places.size(); ++i)
      if (step > 1) places[i] += 0.5F * static_cast<float>(pending.sums[i] / 50.0);
    CHECK(mae_test::bits_of(model.mask().state(0)) == mae_test::bits_of(places));
  }
  CHECK(std::ranges::any_of(places, [](float place) { return place != 0; }));
}

TEST_CASE("threads, processes and recorded work change no bit of what a mask learns") {
  using fp32 = mae::eigen_backend<float>;
  using bf16 = mae::eigen_backend<mae::bfloat16>;
  auto const expected = train<fp32>(options_of(147));
  for (int const threads : {1, 3, 8}) CHECK(train<fp32>(options_of(147), threads) == expected);
  check_ranks<fp32>(options_of(147), 4);
  check_ranks<bf16>(options_of(100, 2), 2);
  CHECK(train<mae_test::replaying_backend<float>>(options_of(75, 2), 1) ==
        train<fp32>(options_of(75, 2), 1));
}

TEST_CASE("a mask does not learn from a head that rests") {
  using model_type = mae::autoencoder<mae_test::small_config,
                                      place_mask,
                                      mae::eigen_backend<float>,
                                      mae::normalised_pixels,
                                      mae::contrast>;
  model_type model({.mask = place_mask(num_patches),
                    .backend = mae::eigen_backend<float>(2),
                    .heads = {mae::contrast{.projection = {.hidden = 20, .outputs = 8}}}});
  auto options = options_of(50);
  options.views = 2;
  auto const refusal = [&] {
    return refusal_of<mae::config_error>([&] { mae::trainer(model, images(), options); });
  };
  std::string const rests =
      "a mask learns from the losses of the head decoder in every step: its schedule must not "
      "reach "
      "0, nor may heads alternate";
  options.head_schedules = mae::head_schedules_of("decoder=1@0,0@1;contrast=0@0,1@0.5");
  CHECK(refusal() == "nothing was thrown");  // progress 1 is the end
  options.head_schedules = mae::head_schedules_of("decoder=1@0,0@0.9");
  CHECK(refusal() == rests);
  options.head_schedules.clear();
  options.alternate = 1;
  CHECK(refusal() == rests);
}

TEST_CASE("a model of one's own lets its mask learn") {
  auto model = make_model();
  mae_test::trainable_archetype<placed_model<mae::eigen_backend<float>>> own(make_model());
  mae::trainer trainer(model, images(), options_of(50));
  mae::trainer other(own, images(), options_of(50));
  trainer.run();
  other.run();
  CHECK(outcome_of(other) == outcome_of(trainer));
}

namespace {

void check_resume(mae::training_options const& options) {
  mae_test::temporary_folder const folder;
  auto const expected = train<mae::eigen_backend<float>>(options);
  for (int const done : {0, 1, 3}) {
    CAPTURE(done);
    auto const file = folder.file("training");
    {
      auto model = make_model();
      mae::trainer trainer(model, images(), options);
      for (int i = 0; i < done; ++i) trainer.step();
      mae::save_training(file, trainer);
    }
    auto model = make_model(1);
    mae::trainer trainer(model, images(), options);
    trainer.step();  // what is resumed leaves nothing of it
    mae::load_training(file, trainer);
    trainer.run();
    CHECK(outcome_of(trainer) == expected);
  }
}

}  // namespace

TEST_CASE("a training with a mask that learns is resumed bit for bit") {
  check_resume(options_of(50, 2));
  auto of_views = options_of(50);
  of_views.views = 2;
  check_resume(of_views);
}

TEST_CASE("a training's file that contradicts its mask is refused, and nothing changes") {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("training");
  auto model = make_model();
  mae::trainer trainer(model, images(), options_of(50));
  trainer.step();
  trainer.step();
  mae::save_training(file, trainer);
  auto const before = outcome_of(trainer);
  auto const with = [&](std::string const& name, auto const& change) {
    auto const whole = mae::safetensors_file::load(file);
    auto metadata = whole.metadata();
    metadata.erase("mae.format");
    metadata.erase("mae.hash");
    std::vector<mae::tensor_entry> tensors(whole.tensors().begin(), whole.tensors().end());
    change(metadata, tensors);
    auto const other = folder.file(name);
    mae::save_safetensors(other, tensors, metadata);
    auto const message = refusal_of<mae::format_error>([&] { mae::load_training(other, trainer); });
    CHECK(outcome_of(trainer) == before);
    return message;
  };
  auto const without = [](std::string const& left) {
    return [left](auto&, auto& tensors) {
      std::erase_if(tensors, [&](auto const& tensor) { return tensor.name == left; });
    };
  };
  CHECK(with("a", without("mask.places"))
            .ends_with("tensor mask.places is missing; the model has it as [16]"));
  CHECK(with("b", without("mask.pending"))
            .ends_with("tensor mask.pending is missing; the model has it as [16]"));
  CHECK(with("c", [](auto& metadata, auto&) { metadata["mask_pending_images"] = "51"; })
            .ends_with("the progress contradicts itself: mask_pending_images are no step's "
                       "images"));
  CHECK(with("d", [](auto& metadata, auto&) {
          metadata.erase("mask_pending_images");
        }).ends_with("mask_pending_images is missing: no training's checkpoint"));
}

TEST_CASE("a model's file keeps what its mask has learned") {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("model");
  auto const train_file = folder.file("training");
  auto model = make_model();
  mae::trainer trainer(model, images(), options_of(50));
  for (int i = 0; i < 3; ++i) trainer.step();
  mae::save_model(file, model);
  mae::save_training(train_file, trainer);
  for (auto const& from : {file, train_file}) {
    auto other = make_model();
    CHECK(mae::load_model(from, other).empty());
    CHECK(mae_test::bits_of(other.mask().state(0)) == mae_test::bits_of(model.mask().state(0)));
    CHECK(other.mask().state(1)[0] == 2);
    mae_test::small_model<> blind;  // a mask that does not learn leaves it
    CHECK(mae::load_model(from, blind).empty());
    auto const encoder = mae::load_encoder<mae_test::small_config>(from);
  }
  mae_test::small_model<> blind;
  mae::save_model(file, blind);
  auto const places = mae_test::bits_of(model.mask().state(0));
  CHECK(mae::load_model(file, model).empty());  // a file that tells nothing of it leaves a mask
  CHECK(mae_test::bits_of(model.mask().state(0)) == places);
}

TEST_CASE("a mask learns nothing of a step that is left out") {
  exploding_model model(
      {.seed = 5, .mask = exploding_mask(1), .backend = mae::eigen_backend<float>(2)});
  auto options = options_of(50);
  SUBCASE("which ends the training") {
    mae::trainer trainer(model, images(), options);
    trainer.step();
    auto const before = outcome_of(trainer);
    CHECK(refusal_of<mae::numeric_error>([&] { trainer.step(); }) ==
          "step 2: the gradient of the mask is not finite");
    CHECK(outcome_of(trainer) == before);
  }
  SUBCASE("and goes on") {
    options.non_finite = mae::non_finite_policy::skip;
    mae::trainer trainer(model, images(), options);
    std::vector<float> updates;
    std::vector<bool> skipped;
    for (int i = 0; i < 4; ++i) {
      skipped.push_back(trainer.step().skipped);
      updates.push_back(model.mask().state(1)[0]);
    }
    CHECK(skipped == std::vector{false, true, false, false});
    CHECK(updates == std::vector<float>{0, 1, 1, 2});
  }
}

TEST_CASE("a mask that learns asks for a painter's losses") {
  using two_heads = mae::autoencoder<mae_test::small_config,
                                     place_mask,
                                     mae::eigen_backend<float>,
                                     mae::normalised_pixels,
                                     mae::classifier>;
  two_heads model({.mask = place_mask(num_patches),
                   .heads = {mae::classifier{.classes = 4}},
                   .head_weights = {0, 1}});
  CHECK(refusal_of<mae::config_error>([&] { mae::trainer(model, images(), options_of(50)); }) ==
        "a mask that learns needs the losses of a painter, and the first head, decoder, is off, or "
        "tells none of each hidden patch, or those of visible ones too (visible_weight)");
}
