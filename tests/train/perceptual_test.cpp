#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/head/perceptual.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/perceptual_encoder.hpp>
#include <mae/objective/fourier.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/head_schedule.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// A painter that learns from what a frozen encoder sees of what it painted.

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;
using fp32 = mae::eigen_backend<float>;

constexpr mae::model_config critic_config{
    .image = small_config.image,
    .patch = small_config.patch,
    .encoder = {.depth = 3, .width = 20, .heads = 2},
    .decoder = small_config.decoder,
};
mae::pixel_statistics const input_statistics{.mean = {0.5, 0.45, 0.4},
                                             .deviation = {0.25, 0.3, 0.35}};

template <class B>
mae::perceptual<B> at_a_distance(B const& backend, std::uint64_t seed = 9, index_t block = 2) {
  mae::encoder<critic_config> encoder(seed, fp32(1));
  encoder.set_statistics({.mean = {0.4, 0.5, 0.3}, .deviation = {0.3, 0.2, 0.4}});
  return {mae::frozen_blocks_of(encoder, input_statistics, backend, block)};
}

/// Masks whose counts differ from image to image.
template <class B>
using perceiving =
    mae::autoencoder<small_config, mae::random_ratio_mask, B, mae::pixels, mae::perceptual<B>>;

template <class B>
perceiving<B> make_model(B const& backend, mae::perceptual<B> const& head, double weight = 0.3) {
  perceiving<B> model({.seed = 5,
                       .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
                       .backend = backend,
                       .heads = {head},
                       .head_weights = {1, weight}});
  model.set_statistics(input_statistics);
  return model;
}
template <class B>
perceiving<B> make_model(B const& backend, double weight = 0.3, std::uint64_t seed = 9) {
  return make_model(backend, at_a_distance(backend, seed), weight);
}

mae::training_options steps_of(index_t batch, index_t accumulate = 1) {
  return {
      .batch_size = batch, .accumulate = accumulate, .steps = 4, .lr = 1e-3, .warmup_epochs = 0};
}

template <class Model, class E = mae::alone>
mae_test::training_state trained(Model model,
                                 labelled_images const& images,
                                 mae::training_options const& options,
                                 E exchange = {}) {
  mae::trainer trainer(model, images, options, mae::adamw{}, exchange);
  trainer.run();
  return mae_test::state_of(trainer);
}

template <class Call>
std::string said_of(Call const& call) {
  try {
    call();
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a perceptual distance leaves the same bits for any number of threads and processes") {
  labelled_images const images(360);
  auto const options = steps_of(90, 2);
  auto const expected = trained(make_model(fp32(1)), images, options);
  for (int const threads : {2, 3})
    CHECK(trained(make_model(fp32(threads)), images, options) == expected);
  mae_test::mailbox box(2);
  std::vector<mae_test::training_state> found(2);
  std::vector<std::thread> processes;
  for (int rank = 0; rank < 2; ++rank)
    processes.emplace_back([&, rank] {
      found[static_cast<std::size_t>(rank)] =
          trained(make_model(fp32(1)), images, options, mae_test::mailbox_exchange(box, rank));
    });
  for (auto& process : processes) process.join();
  for (auto const& one : found) CHECK(one == expected);

  using bf16 = mae::eigen_backend<mae::bfloat16>;
  auto const rounded = trained(make_model(bf16(1)), images, options);
  CHECK(trained(make_model(bf16(3)), images, options) == rounded);
  CHECK_FALSE(rounded == expected);
}

TEST_CASE("a distance of weight 0 changes no bit of a painter's training") {
  labelled_images const images(120);
  mae::autoencoder<small_config, mae::random_ratio_mask, fp32, mae::pixels> alone(
      {.seed = 5, .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}), .backend = fp32(2)});
  alone.set_statistics(input_statistics);
  auto const expected = trained(std::move(alone), images, steps_of(30));
  CHECK(trained(make_model(fp32(2), 0), images, steps_of(30)) == expected);
  CHECK_FALSE(trained(make_model(fp32(2)), images, steps_of(30)) == expected);
  auto options = steps_of(30);
  options.head_schedules = mae::head_schedules_of("perceptual=0@0,0@1");
  CHECK(trained(make_model(fp32(2)), images, options) == expected);
}

TEST_CASE("a training with a distance goes on exactly, and with no other encoder") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  labelled_images const images(60);
  auto const expected = trained(make_model(fp32(2)), images, steps_of(20));
  auto first = make_model(fp32(2));
  mae::trainer training(first, images, steps_of(20));
  for (int i = 0; i < 2; ++i) training.step();
  mae::save_training(path, training);
  auto second = make_model(fp32(2));
  mae::trainer resumed(second, images, steps_of(20));
  mae::load_training(path, resumed);
  resumed.run();
  CHECK(mae_test::state_of(resumed) == expected);

  auto other = make_model(fp32(2), 0.3, 10);
  mae::trainer of_other(other, images, steps_of(20));
  auto const refused = said_of([&] { mae::load_training(path, of_other); });
  CHECK(refused.find("perceptual.encoder") != std::string::npos);

  // Whoever reads the model's file needs no encoder: the head has no tensors.
  std::string const file = folder.file("model.safetensors");
  mae::save_model(file, resumed.model());
  mae::autoencoder<small_config, mae::random_ratio_mask, fp32, mae::pixels> plain(
      {.mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}), .backend = fp32(1)});
  CHECK(mae::load_model(file, plain).empty());
}

TEST_CASE("a painter learns to come near") {
  labelled_images const images(200);
  perceiving<fp32> model({.seed = 5,
                          .mask = mae::random_ratio_mask({.low = 0.5, .high = 0.8}),
                          .backend = fp32(2),
                          .heads = {at_a_distance(fp32(2))},
                          .head_weights = {1e-6, 1}});
  model.set_statistics(input_statistics);
  mae::trainer trainer(model, images, {.batch_size = 50, .steps = 60, .lr = 3e-3});
  double const before = trainer.step().heads[1].loss;
  mae::step_report last;
  while (!trainer.is_done()) last = trainer.step();
  CHECK(last.heads[1].name == "perceptual");
  CHECK(last.heads[1].baseline == 1);
  CHECK(last.heads[1].counted == 50);
  CHECK(last.heads[1].loss < 0.9 * before);
  CHECK(mae::evaluate_heldout(model, images, 40).loss < 0.9 * before);
}

TEST_CASE("held-out losses tell the painter's from the distance") {
  labelled_images const images(40);
  auto const model = make_model(fp32(2));
  auto const [sum, heads] = mae::evaluate_heldout_heads(model, images);
  CHECK(heads[0].name == "decoder");
  CHECK(heads[1].name == "perceptual");
  CHECK(heads[0].counted == 40 * 12);
  CHECK(heads[1].counted == 40);
  CHECK(heads[1].loss > 0.1);
  CHECK(sum.loss == doctest::Approx(heads[0].loss + 0.3 * heads[1].loss).epsilon(1e-12));
  CHECK(sum.loss == mae::evaluate_heldout(model, images).loss);
  auto const alone = mae::evaluate_heldout_heads(make_model(fp32(2), 0), images);
  CHECK(alone.sum.loss == heads[0].loss);
  CHECK(alone.heads[1].counted == 0);
}

TEST_CASE("what a distance cannot be is refused by its name") {
  labelled_images const images(60);
  auto const train = [&](auto model, mae::training_options const& options) {
    return said_of([&] { trained(std::move(model), images, options); });
  };
  auto strange = make_model(fp32(1));
  strange.set_statistics({.mean = {0.5, 0.5, 0.5}, .deviation = {0.25, 0.25, 0.25}});
  CHECK(
      train(std::move(strange), steps_of(20)).starts_with("the model's pixel statistics are not"));

  auto head = at_a_distance(fp32(1));
  CHECK(said_of([&] {
          head.require_input(mae::normalised_pixels{}, input_statistics);
        }).starts_with("the units of perceptual are not those of the objective 'normalised'"));
  head.units = {.are_of_patch = true, .epsilon = 1e-3};
  CHECK(
      said_of([&] { head.require_input(mae::normalised_pixels{1e-3}, input_statistics); }).empty());
  CHECK_FALSE(
      said_of([&] { head.require_input(mae::normalised_pixels{1e-4}, input_statistics); }).empty());
  CHECK(said_of([&] {
          head.require_input(mae::fourier_magnitudes{}, input_statistics);
        }).find("the objective 'fourier' is none") != std::string::npos);
  auto mistaken = make_model(fp32(1), head);
  CHECK(train(std::move(mistaken), steps_of(20)).starts_with("the units of perceptual are not"));

  auto const parts = [](mae::perceptual<fp32> const& chosen, double visible_weight = 0) {
    return perceiving<fp32>::parts{.mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
                                   .visible_weight = visible_weight,
                                   .heads = {chosen}};
  };
  CHECK(said_of([&] {
          perceiving<fp32> const model(parts({}));
        }).starts_with("a perceptual distance needs an encoder"));
  constexpr mae::model_config other_config{
      .image = {.height = 16, .width = 16, .channels = 3},
      .patch = {.height = 8, .width = 8},
      .encoder = critic_config.encoder,
      .decoder = critic_config.decoder,
  };
  mae::encoder<other_config> const other(1, fp32(1));
  CHECK(said_of([&] {
          perceiving<fp32> const model(
              parts({mae::frozen_blocks_of(other, input_statistics, fp32(1))}));
        }) ==
        "the perceptual encoder's images are of 16x16x3 in patches of 8x8, the model's of 16x16x3 "
        "in patches of 4x4: both must see the same patches");
  CHECK(said_of([&] { at_a_distance(fp32(1), 9, 4); }) ==
        "the tokens after block 4 of an encoder whose blocks are 1 to 3");

  mae::encoder<critic_config> const told(9, fp32(1), 1e-6, {.bounds = {0.001F, 0.005F}});
  CHECK(said_of([&] {
          mae::frozen_blocks_of(told, input_statistics, fp32(1));
        }).starts_with("a perceptual distance's encoder tells its tokens no levels of density"));
  auto some_painted = steps_of(20);
  some_painted.views = 2;
  some_painted.painted_views = 1;
  CHECK(train(make_model(fp32(1)), some_painted)
            .starts_with("the head perceptual learns from what is painted of every view"));

  perceiving<fp32> both(parts(at_a_distance(fp32(1)), 0.5));
  both.set_statistics(input_statistics);
  CHECK(train(std::move(both), steps_of(20)).find("visible_weight must be 0") != std::string::npos);
  for (char const* const schedule : {"decoder=0@0,1@1", "decoder=0@0,0@1"}) {
    auto options = steps_of(20);
    options.head_schedules = mae::head_schedules_of(schedule);
    CHECK(train(make_model(fp32(1)), options)
              .starts_with("the head perceptual learns from what the painter paints"));
  }
  auto turns = steps_of(20);
  turns.alternate = 1;
  CHECK(train(make_model(fp32(1)), turns)
            .starts_with("the head perceptual learns from what the painter paints"));
  auto recorded = steps_of(20);
  recorded.record_gradients = 1;
  CHECK(train(make_model(fp32(1)), recorded)
            .starts_with("the head perceptual learns from what the painter paints"));
}
