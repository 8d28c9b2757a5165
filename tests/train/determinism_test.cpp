#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/mask/log_information.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/shard_schedule.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_dataset;

/// Everything that a training says and leaves behind, its doubles as bits.
struct outcome {
  mae::pixel_statistics statistics;
  mae_test::training_state state;
  std::vector<std::uint64_t> losses;  // of the steps, with their gradients' norms, and held out
  mae::shard_schedule shards;
};

/// `make_mask(dataset, threads)` may measure the dataset. Held out are some images more than are in
/// memory at once, of large sequences fewer.
template <mae::model_config config = mae_test::small_config, class MakeMask>
outcome train(MakeMask const& make_mask, mae::training_options const& options, int threads) {
  constexpr index_t heldout_images = config.num_patches() > 100 ? 50 : 530;
  static small_dataset const images = mae_test::painted_images(400, 1);
  static small_dataset const heldout = mae_test::painted_images(heldout_images, 2);
  mae::eigen_backend<float> const backend(threads);
  auto const mask = make_mask(images, backend.threads());
  mae::autoencoder<config, decltype(make_mask(images, backend.threads()))> model(
      {.seed = 5, .mask = mask, .backend = backend});
  mae::trainer trainer(model, images, options);

  outcome result;
  auto const note = [&](double value) {
    result.losses.push_back(std::bit_cast<std::uint64_t>(value));
  };
  trainer.run({.on_step = [&](mae::step_report const& report) {
    for (double const value : {report.loss, report.baseline, report.gradient_norm}) note(value);
  }});
  auto const [loss, baseline] = mae::evaluate_heldout(model, heldout);
  note(loss);
  note(baseline);
  result.statistics = model.statistics();
  result.state = mae_test::state_of(trainer);
  result.shards = trainer.shards();
  return result;
}

/// Trains repeatedly and with several numbers of threads; `sums` of them find work at once.
template <mae::model_config config = mae_test::small_config, class MakeMask>
void check_same_bits(MakeMask const& make_mask,
                     mae::training_options const& options,
                     index_t shards,
                     index_t sums) {
  outcome const expected = train<config>(make_mask, options, 1);
  REQUIRE(expected.shards ==
          mae::shard_schedule{.images = options.batch_size, .shards = shards, .sums = sums});
  REQUIRE(expected.state.progress.step == options.steps);
  for (int const threads : {1, 2, 3, 4, 8, 8, 8}) {
    CAPTURE(threads);
    outcome const result = train<config>(make_mask, options, threads);
    CHECK(result.statistics == expected.statistics);
    CHECK(result.losses == expected.losses);
    CHECK(result.state == expected.state);
  }
}

/// 13 tokens an image make shards of at most 20 images, in sums of two: 16, of 10 or 11 images.
constexpr mae::training_options sixteen_shards{
    .seed = 9, .batch_size = 165, .steps = 20, .lr = 3e-3, .warmup_epochs = 2, .clip = 1};

}  // namespace

TEST_CASE("a uniform mask trains to the same bits on any number of threads") {
  check_same_bits(
      [](auto const&...) {
        return mae::uniform_mask<mae::ratio{1, 4}>{};
      },
      sixteen_shards,
      16,
      8);
}

TEST_CASE("a ragged saliency mask trains to the same bits on any number of threads") {
  check_same_bits(
      [](small_dataset const& images, mae::thread_pool& threads) {
        return mae::saliency_mask(
            {.strength = 0.5,
             .ratio = 0.35,
             .swing = 0.10,
             .training = mae::measure_saliency(images, mae_test::small_config.patch, threads)});
      },
      sixteen_shards,
      16,
      8);
}

TEST_CASE("a random ratio trains to the same bits on any number of threads") {
  check_same_bits([](auto const&...) { return mae::random_ratio_mask({.low = 0.25, .high = 0.9}); },
                  sixteen_shards,
                  16,
                  8);
}

TEST_CASE(
    "accumulated batches of few partial sums train to the same bits on any number of threads") {
  auto options = sixteen_shards;
  options.batch_size = 83;
  options.accumulate = 2;
  check_same_bits([](auto const&...) { return mae::random_ratio_mask({.low = 0.25, .high = 0.9}); },
                  options,
                  5,
                  5);
}

TEST_CASE("partial sums of one shard and of two train to the same bits on any number of threads") {
  // Of 256 patches 255 are visible: each image is a shard.
  constexpr mae::model_config pixel_patches = [] {
    auto config = mae_test::small_config;
    config.patch = {.height = 1, .width = 1};
    return config;
  }();
  auto options = sixteen_shards;
  options.batch_size = 9;
  options.steps = 5;
  options.warmup_epochs = 0;
  check_same_bits<pixel_patches>(
      [](auto const&...) {
        return mae::uniform_mask<mae::ratio{1, 256}>{};
      },
      options,
      9,
      8);
}

TEST_CASE("another seed of the training gives other bits") {
  auto const make_mask = [](auto const&...) { return mae::uniform_mask<mae::ratio{1, 4}>{}; };
  auto options = sixteen_shards;
  outcome const first = train(make_mask, options, 2);
  options.seed = 10;
  outcome const second = train(make_mask, options, 2);
  CHECK(first.statistics == second.statistics);
  CHECK(first.losses != second.losses);
  CHECK(first.state != second.state);
}
