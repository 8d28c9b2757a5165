#include "descent.hpp"
#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/head/denoiser.hpp>
#include <mae/head/painter.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/none.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/sample.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/batch_options.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>
#include <mae/train/training_batch.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

// What noise on visible patches does to batches and trainings: --noise.

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;

constexpr mae::pixel_noise half_noise{.sigma_min = 0.5, .sigma_max = 0.5};

using noisy_batch = mae::training_batch<float, 1>;

/// Batches of the small images, in which the encoder sees half of the patches.
template <mae::MaskPolicy M = mae::uniform_mask<mae::ratio{1, 2}>>
noisy_batch noisy_batch_of(std::vector<mae::image_index> const& numbers,
                           mae::batch_options const& options,
                           mae::training_moment const& moment = {},
                           int threads = 2,
                           M const& mask = {}) {
  labelled_images const images(40);
  mae::thread_pool pool(threads);
  mae::pixels const objective;
  mae::batch_loader<labelled_images,
                    M,
                    mae::network_parts<mae::painter>,
                    std::tuple<mae::target_labels<mae::pixels>>,
                    float>
      loader(images,
             mask,
             mae::painter_parts(small_config, objective.target_width(small_config)),
             {mae::target_labels<mae::pixels>(objective)},
             {.mean = {0.5, 0.4, 0.3}, .deviation = {0.2, 0.25, 0.3}},
             options,
             pool);
  noisy_batch batch;
  loader.load(numbers, moment, batch);
  return batch;
}

std::vector<float> noisy_patches_of(noisy_batch const& batch, index_t image) {
  auto const view = batch.patches_of(image, image + 1);
  return {view.data, view.data + view.size()};
}
std::vector<float> clean_labels_of(noisy_batch const& batch) {
  auto const view = batch.labels[0].of(0, batch.images());
  return {view.data, view.data + view.size()};
}

/// What was added to an image's patch, value by value.
std::vector<double> added_to(noisy_batch const& with,
                             noisy_batch const& without,
                             index_t image,
                             index_t patch) {
  std::vector<double> added;
  auto const a = with.patches_of(image, image + 1).row(patch);
  auto const b = without.patches_of(image, image + 1).row(patch);
  for (std::size_t i = 0; i < a.size(); ++i) added.push_back(static_cast<double>(a[i]) - b[i]);
  return added;
}

double deviation_of(std::vector<double> const& values) {
  double sum = 0;
  for (double const value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

std::vector<mae::image_index> first_images(int count) {
  std::vector<mae::image_index> numbers;
  for (mae::image_index i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

template <class Backend = mae::eigen_backend<float>>
using denoising_model = mae::autoencoder<small_config, mae::no_mask, Backend>;

mae::training_options denoising(index_t steps) {
  return {.batch_size = 20, .steps = steps, .lr = 2e-3, .warmup_epochs = 0, .noise = half_noise};
}

/// All values after a few steps.
template <class Exchange = mae::alone>
mae_test::training_state train_denoising(labelled_images const& images,
                                         int threads,
                                         mae::training_options const& options,
                                         Exchange const& exchange = {}) {
  denoising_model<> model(
      {.seed = 3, .backend = mae::eigen_backend<float>(threads), .visible_weight = 1});
  mae::trainer trainer(model, images, options, mae::adamw{}, exchange);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("noise is on what the encoder sees; hidden patches and targets are without") {
  auto const numbers = first_images(40);
  auto const clean = noisy_batch_of(numbers, {.seed = 7});
  auto const noisy = noisy_batch_of(numbers, {.seed = 7, .noise = half_noise});
  CHECK(clean_labels_of(noisy) == clean_labels_of(clean));
  std::vector<double> all;
  for (index_t i = 0; i < clean.images(); ++i) {
    CHECK(std::ranges::equal(clean.plan.visible(i), noisy.plan.visible(i)));
    for (auto const patch : clean.plan.target(i))
      CHECK(deviation_of(added_to(noisy, clean, i, patch)) == 0);
    for (auto const patch : clean.plan.visible(i))
      for (double const value : added_to(noisy, clean, i, patch)) all.push_back(value);
  }
  REQUIRE(all.size() == 40 * 8 * 48);  // a deviation is known to 0.6%, a mean to 0.004
  double mean = 0;
  double fourth = 0;
  for (double const value : all) {
    mean += value / static_cast<double>(all.size());
    fourth += std::pow(value / 0.5, 4) / static_cast<double>(all.size());
  }
  CHECK(std::abs(mean) < 0.02);
  CHECK(deviation_of(all) == doctest::Approx(0.5).epsilon(0.03));
  CHECK(fourth == doctest::Approx(3).epsilon(0.1));  // of a normal distribution
}

TEST_CASE("a value's noise depends on seed, epoch, image, view and place alone") {
  mae::batch_options const options{.seed = 7, .noise = half_noise};
  auto const numbers = first_images(9);
  auto const all = noisy_batch_of(numbers, options);
  auto const some = noisy_batch_of({7, 3}, options, {.step = 5, .progress = 0.5}, 3);
  CHECK(noisy_patches_of(some, 0) == noisy_patches_of(all, 7));
  CHECK(noisy_patches_of(some, 1) == noisy_patches_of(all, 3));
  CHECK(noisy_patches_of(noisy_batch_of({3}, options, {.epoch = 1}), 0) !=
        noisy_patches_of(all, 3));
  CHECK(noisy_patches_of(noisy_batch_of({3}, {.seed = 8, .noise = half_noise}), 0) !=
        noisy_patches_of(all, 3));

  auto const clean = noisy_batch_of(numbers, {.seed = 7});
  auto const whole = noisy_batch_of(numbers, options, {}, 2, mae::no_mask{});
  for (index_t i = 0; i < all.images(); ++i)
    for (auto const patch : all.plan.visible(i))
      CHECK(added_to(whole, clean, i, patch) == added_to(all, clean, i, patch));
  auto const one = added_to(whole, clean, 0, 0);
  CHECK(one != added_to(whole, clean, 0, 1));
  CHECK(one != added_to(whole, clean, 1, 0));
}

TEST_CASE("an image's level is drawn log-uniformly of its range") {
  mae::pixel_noise const range{.sigma_min = 0.1, .sigma_max = 10};
  constexpr int count = 4000;
  std::array<int, 4> quarters{};
  for (std::uint64_t i = 0; i < count; ++i) {
    double const level =
        mae::noise_level(range, {.seed = 1, .use = mae::purpose::noise, .index = i});
    REQUIRE(level >= 0.1);
    REQUIRE(level < 10);
    ++quarters[static_cast<std::size_t>(2 * (std::log10(level) + 1))];
  }
  for (int const found : quarters) CHECK(std::abs(found - count / 4) < 120);  // 4 deviations: 110

  auto const numbers = first_images(40);
  auto const clean = noisy_batch_of(numbers, {}, {}, 2, mae::no_mask{});
  auto const noisy = noisy_batch_of(numbers, {.noise = range}, {}, 2, mae::no_mask{});
  for (index_t i = 0; i < 40; ++i) {
    std::vector<double> of_image;
    for (index_t patch = 0; patch < 16; ++patch)
      for (double const value : added_to(noisy, clean, i, patch)) of_image.push_back(value);
    double const level = mae::noise_level(
        range, {.use = mae::purpose::noise, .index = static_cast<std::uint64_t>(i)});
    CHECK(deviation_of(of_image) == doctest::Approx(level).epsilon(0.12));  // 4.7 deviations
  }
}

TEST_CASE("R1: without masks a step's gradient is that of the loss over all patches") {
  labelled_images const images(12);
  using backend = mae::eigen_backend<double>;
  denoising_model<backend> model({.seed = 5, .backend = backend(2), .visible_weight = 0.3});
  mae::training_options const options{.augment = {.crop_min = 1, .flip = false},
                                      .noise = half_noise};
  mae_test::check_gradient(model, images, 12, 1, 1, options);
  // All patches count alike, whatever the weight: nothing is hidden beside which they could count.
  auto const found = mae_test::descend(model, images, 12, 1, 1, options);
  denoising_model<backend> other({.seed = 5, .backend = backend(2), .visible_weight = 1});
  auto const same = mae_test::descend(other, images, 12, 1, 1, options);
  CHECK(found.loss == same.loss);
  CHECK(found.gradient == same.gradient);
}

TEST_CASE(
    "what noise alone has spoilt is learned, and seen of held-out images by a noise of their own") {
  labelled_images const images(200);
  denoising_model<> model({.seed = 3, .visible_weight = 1});
  mae::trainer trainer(model, images, denoising(60));
  auto const before = mae::evaluate_heldout(model, images, 100, half_noise);
  trainer.run();
  auto const after = mae::evaluate_heldout(model, images, 100, half_noise);
  CHECK(after.baseline == before.baseline);
  CHECK(after.loss < 0.8 * after.baseline);
  CHECK(mae::evaluate_heldout(model, images, 100, half_noise).loss == after.loss);
  mae::pixel_noise const more{.sigma_min = 2, .sigma_max = 2};
  CHECK(mae::evaluate_heldout(model, images, 100, more).loss > after.loss);
}

TEST_CASE("held-out images are seen without a training's noise, by the same masks as ever") {
  labelled_images const images(60);
  mae_test::small_model<> const model({.seed = 3});
  auto const before = mae::evaluate_heldout(model, images).loss;
  CHECK(before == mae::evaluate_heldout(model, images, 0, {}).loss);
  CHECK(before != mae::evaluate_heldout(model, images, 0, half_noise).loss);
  CHECK(mae::evaluate_heldout(model, images).baseline ==
        mae::evaluate_heldout(model, images, 0, half_noise).baseline);  // targets are the same
}

TEST_CASE("held-out images without noise have no loss of what learns from it") {
  labelled_images const images(20);
  auto const said_of = [&](auto const& model) {
    return refusal_of<mae::config_error>([&] { mae::evaluate_heldout(model, images); });
  };
  CHECK(said_of(denoising_model<>({.seed = 3, .visible_weight = 1})) ==
        "the head decoder learns from noise here: give evaluate_heldout some, as its fourth "
        "argument");
  using beside = mae::autoencoder<small_config,
                                  mae::uniform_mask<mae::ratio{3, 4}>,
                                  mae::eigen_backend<float>,
                                  mae::pixels,
                                  mae::denoiser>;
  CHECK(said_of(beside({.heads = {{}}, .head_weights = {1, 1}})) ==
        "the head denoiser learns from noise here: give evaluate_heldout some, as its fourth "
        "argument");
  CHECK(said_of(beside({.heads = {{}}, .head_weights = {1, 0}})) == "nothing was thrown");
}

TEST_CASE("noise leaves the same bits for any threads, processes and after a resume") {
  labelled_images const images(90);
  auto options = denoising(6);
  options.noise = {.sigma_min = 0.1, .sigma_max = 1};
  options.views = 2;
  auto const expected = train_denoising(images, 1, options);
  CHECK(train_denoising(images, 3, options) == expected);
  mae_test::mailbox box(2);
  std::vector<mae_test::training_state> found(2);
  std::vector<std::thread> processes;
  for (int rank = 0; rank < 2; ++rank)
    processes.emplace_back([&, rank] {
      found[static_cast<std::size_t>(rank)] =
          train_denoising(images, 1, options, mae_test::mailbox_exchange(box, rank));
    });
  for (auto& process : processes) process.join();
  for (auto const& one : found) CHECK(one == expected);
  auto other = options;
  other.noise.sigma_max = 0.9;
  CHECK_FALSE(train_denoising(images, 1, other) == expected);

  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  denoising_model<> first({.seed = 3, .visible_weight = 1});
  mae::trainer training(first, images, options);
  for (int step = 0; step < 3; ++step) training.step();
  mae::save_training(path, training);
  denoising_model<> second({.seed = 4, .visible_weight = 1});
  mae::trainer resumed(second, images, options);
  mae::load_training(path, resumed);
  resumed.run();
  CHECK(mae_test::state_of(resumed) == expected);
  mae::trainer louder(second, images, other);
  CHECK(refusal_of<mae::config_error>([&] { mae::load_training(path, louder); }) ==
        path + ": noise is 0.1 1 in the file, but 0.1 0.9 here");
}

TEST_CASE("noise that cannot be is refused, and so is noise alone without targets") {
  auto const refused = [](double least, double most) {
    return refusal_of<mae::config_error>([&] {
      mae::require_valid(mae::training_options{.noise = {.sigma_min = least, .sigma_max = most}});
    });
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinite = std::numeric_limits<double>::infinity();
  std::string const positive =
      "the levels of noise must be finite and above 0; 0 for both leaves images as they are";
  for (auto const& [least, most] : {std::pair(-1.0, 1.0),
                                    std::pair(0.0, 1.0),
                                    std::pair(-1.0, 0.0),
                                    std::pair(nan, 1.0),
                                    std::pair(0.5, nan),
                                    std::pair(0.5, infinite)})
    CHECK(refused(least, most) == positive);
  CHECK(refused(1, 0.5) == "the least level of noise must not be above the greatest");
  CHECK(refused(1, 1) == "nothing was thrown");
  CHECK(refused(0, 0) == "nothing was thrown");

  labelled_images const images(40);
  denoising_model<> model;
  mae::trainer trainer(model, images, denoising(1));
  CHECK(refusal_of<mae::config_error>([&] {
          trainer.step();
        }).ends_with("(where noise alone spoils images, noise and a visible_weight)"));
  denoising_model<> weighed({.visible_weight = 1});
  auto quiet = denoising(1);
  quiet.noise = {};
  mae::trainer silent(weighed, images, quiet);
  CHECK(refusal_of<mae::config_error>([&] {
          silent.step();
        }).starts_with("the images of a step have no label from which a head could learn"));
}
