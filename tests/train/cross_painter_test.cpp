#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;

/// Masks whose counts differ from image to image.
template <class Backend>
using ragged = mae::cross_autoencoder<small_config, mae::random_ratio_mask, Backend>;

template <class Backend>
typename ragged<Backend>::parts ragged_parts(Backend backend) {
  return {.seed = 5,
          .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
          .backend = std::move(backend)};
}

mae::training_options steps_of(index_t batch, index_t accumulate = 1) {
  return {.batch_size = batch, .accumulate = accumulate, .steps = 6, .lr = 1e-3};
}

/// What a training leaves after six steps.
template <class E>
mae_test::training_state train(labelled_images const& images,
                               int threads,
                               index_t batch,
                               index_t accumulate,
                               double share,
                               E exchange) {
  using backend = mae::eigen_backend<float>;
  ragged<backend> model(ragged_parts(backend(threads)));
  auto options = steps_of(batch, accumulate);
  options.predicted_share = share;
  mae::trainer trainer(model, images, options, mae::adamw{}, exchange);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("cross-attention leaves the same bits for any number of threads and processes") {
  labelled_images const images(360);
  auto const check = [&](index_t batch, index_t accumulate, double share) {
    auto const expected = train(images, 1, batch, accumulate, share, mae::alone{});
    for (int const threads : {2, 3})
      CHECK(train(images, threads, batch, accumulate, share, mae::alone{}) == expected);
    auto const run = [&](auto exchange) {
      return train(images, 1, batch, accumulate, share, exchange);
    };
    for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
  };
  check(180, 1, 1);
  check(90, 2, 0.4);
}

TEST_CASE("a training by cross-attention goes on exactly") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  labelled_images const images(60);
  using backend = mae::eigen_backend<float>;
  auto const expected = train(images, 2, 20, 1, 1, mae::alone{});
  ragged<backend> first(ragged_parts(backend(2)));
  mae::trainer training(first, images, steps_of(20));
  for (int i = 0; i < 3; ++i) training.step();
  mae::save_training(path, training);
  ragged<backend> second(ragged_parts(backend(2)));
  mae::trainer resumed(second, images, steps_of(20));
  mae::load_training(path, resumed);
  resumed.run();
  CHECK(mae_test::state_of(resumed) == expected);
}

TEST_CASE("files say which decoder they hold, and another's are refused by it") {
  mae_test::temporary_folder const folder;
  std::string const cross = folder.file("cross.safetensors");
  std::string const self = folder.file("self.safetensors");
  using backend = mae::eigen_backend<float>;
  using self_model = mae::autoencoder<small_config, mae::random_ratio_mask, backend>;
  ragged<backend> model(ragged_parts(backend(1)));
  self_model other({.mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9})});
  mae::save_model(cross, model);
  mae::save_model(self, other);
  CHECK(refusal_of<mae::config_error>([&] { mae::load_model(cross, other); }) ==
        cross +
            ": the model has the head decoder, but the file's heads are cross_decoder: give "
            "--decoder cross, in a program take mae::cross_autoencoder");
  CHECK(refusal_of<mae::config_error>([&] { mae::load_model(self, model); }) ==
        self +
            ": the model has the head cross_decoder, but the file's heads are decoder: give "
            "--decoder self, in a program take mae::autoencoder");

  labelled_images const images(60);
  mae::trainer training(model, images, steps_of(20));
  mae::trainer training_other(other, images, steps_of(20));
  training.step();
  mae::save_training(cross, training);
  mae::save_training(self, training_other);
  for (auto const& refused :
       {refusal_of<mae::config_error>([&] { mae::load_training(cross, training_other); }),
        refusal_of<mae::config_error>([&] { mae::load_training(self, training); })})
    CHECK(refused.find("the model has the head ") != std::string::npos);

  ragged<backend> copy(ragged_parts(backend(1)));
  CHECK(mae::load_model(cross, copy).empty());
  CHECK(mae_test::bits_of(copy.parameters().values()) ==
        mae_test::bits_of(model.parameters().values()));
  auto const encoder = mae::load_encoder<small_config>(cross);
  CHECK(mae_test::bits_of(encoder.parameters().tensor("norm.weight")) ==
        mae_test::bits_of(model.parameters().tensor("norm.weight")));
}

TEST_CASE("it learns to paint what is hidden, and leaves what is seen as it is") {
  mae::cross_autoencoder<small_config> model;
  mae::synthetic_dataset const images(400, 3, small_config.image);
  mae::trainer trainer(model, images, {.batch_size = 50, .epochs = 12, .lr = 3e-3});
  trainer.run();
  auto const [loss, baseline] = mae::evaluate_heldout(model, images);
  CHECK(loss < 0.8 * baseline);

  auto const size = static_cast<std::size_t>(small_config.image.values());
  std::vector<float> input(2 * size);
  for (index_t i = 0; i < 2; ++i)
    images.read(i, std::span(input).subspan(static_cast<std::size_t>(i) * size, size));
  mae::mask_plan plan(2, small_config.num_patches());
  std::vector<float> scores(static_cast<std::size_t>(small_config.num_patches()));
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>(i);
  plan.assign(0, {.visible = 4, .target = 12}, scores);  // the upper row of patches
  plan.assign(1, {.visible = 16, .target = 0}, scores);
  auto const painted = model.reconstruct(input, plan);
  std::size_t const seen = size / 4;
  CHECK(std::equal(painted.begin(), painted.begin() + seen, input.begin()));
  CHECK_FALSE(std::equal(painted.begin() + seen, painted.begin() + size, input.begin() + seen));
  CHECK(std::equal(painted.begin() + size, painted.end(), input.begin() + size));
}
