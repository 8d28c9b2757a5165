#include "descent.hpp"
#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/head/sigreg.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <utility>
#include <vector>

// SIGReg over the samples of whole steps: its directions are the step's.

namespace {

using mae_test::labelled_images;
using mae_test::small_config;
using fp32 = mae::eigen_backend<float>;
using mask_type = mae::uniform_mask<mae::ratio{3, 4}>;

template <class B>
using model_type =
    mae::autoencoder<small_config, mask_type, B, mae::normalised_pixels, mae::sigreg>;

template <class B>
model_type<B> make_model(B backend) {
  return model_type<B>(
      {.seed = 5,
       .backend = std::move(backend),
       .heads = {mae::sigreg{.directions = 16, .projection = {.hidden = 20, .outputs = 8}}},
       .head_weights = {1, 0.5}});
}

mae::training_options options_of(mae::index_t batch, mae::index_t accumulate) {
  return {.batch_size = batch,
          .accumulate = accumulate,
          .views = 2,
          .steps = 4,
          .lr = 1e-3,
          .warmup_epochs = 0};
}

labelled_images const& images() {
  static labelled_images const all(120);
  return all;
}

template <class B, class E = mae::alone>
mae_test::training_state train(mae::training_options const& options, B backend, E exchange = {}) {
  auto model = make_model(std::move(backend));
  mae::trainer trainer(model, images(), options, mae::adamw{}, exchange);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("the gradient of a painter and sigreg is that of the reported loss") {
  auto model = make_model(mae::eigen_backend<double>(2));
  mae_test::check_gradient(model, images(), 30, 1, 2);
  mae_test::check_gradient(model, images(), 15, 2, 2, {.painted_views = 1});
}

TEST_CASE("sigreg leaves the same bits with any threads and processes, and is resumed to them") {
  auto const expected = train(options_of(30, 2), fp32(1));
  CHECK(train(options_of(30, 2), fp32(3)) == expected);
  auto const run = [&](auto exchange) { return train(options_of(30, 2), fp32(1), exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);

  mae_test::temporary_folder const folder;
  auto const file = folder.file("training");
  auto begun = make_model(fp32(2));
  mae::trainer first(begun, images(), options_of(30, 2));
  first.step();
  first.step();
  mae::save_training(file, first);
  auto resumed = make_model(fp32(2));
  mae::trainer second(resumed, images(), options_of(30, 2));
  mae::load_training(file, second);
  second.run();
  CHECK(mae_test::state_of(second) == expected);
}

TEST_CASE("sigreg is learned, and images stay apart") {
  using encoder = mae::headed_encoder<small_config, mask_type, fp32, mae::sigreg>;
  encoder model({.heads = {mae::sigreg{.projection = {.hidden = 32, .outputs = 8}}}});
  mae::trainer trainer(model,
                       images(),
                       {.batch_size = 60,
                        .views = 2,
                        .steps = 120,
                        .lr = 3e-3,
                        .warmup_epochs = 0,
                        .augment = {.crop_min = 0.9, .flip = false}});
  double const first = trainer.step().loss;
  double last = first;
  trainer.run({.on_step = [&](mae::step_report const& report) { last = report.loss; }});
  CHECK(last < 0.7 * first);
}
