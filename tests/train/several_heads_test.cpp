#include "coupling_archetype.hpp"
#include "descent.hpp"
#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "trainable_archetype.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae_test::check_gradient;
using mae_test::descend;
using mae_test::labelled_images;
using mae_test::largest_difference;
using mae_test::three_heads;
using mae_test::three_heads_parts;
using exact = mae::eigen_backend<double>;

/// Two steps' reports and parameters, whose bits are compared.
template <class Model, class E>
mae_test::training_state train(
    Model& model, labelled_images const& images, index_t batch, index_t accumulate, E exchange) {
  mae::trainer trainer(model,
                       images,
                       {.batch_size = batch, .accumulate = accumulate, .steps = 3, .lr = 1e-3},
                       mae::adamw{},
                       exchange);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("the gradient of several heads is that of the reported loss") {
  labelled_images const images(120);
  three_heads<exact> model(three_heads_parts(exact(2)));
  check_gradient(model, images, 60, 1);
  check_gradient(model, images, 60, 2);
}

TEST_CASE("many shards and accumulated batches have one shard's gradient to 1e-10") {
  labelled_images const images(48);  // in one shard
  three_heads<exact> model(three_heads_parts(exact(2)));
  auto const expected = descend(model, images, 48);
  for (index_t const accumulate : {2, 6, 24}) {
    CAPTURE(accumulate);
    auto const found = descend(model, images, 48 / accumulate, accumulate);
    CHECK(found.loss == doctest::Approx(expected.loss).epsilon(1e-12));
    CHECK(largest_difference(found.gradient, expected.gradient) <= 1e-10);
  }
  labelled_images const more(180);  // in shards of a batch
  auto const sharded = descend(model, more, 180);
  auto const split = descend(model, more, 20, 9);
  CHECK(split.loss == doctest::Approx(sharded.loss).epsilon(1e-12));
  CHECK(largest_difference(split.gradient, sharded.gradient) <= 1e-10);
}

TEST_CASE("several heads give the same bits for any number of threads and processes") {
  labelled_images const images(360);
  auto const check = [&]<class Operand>(Operand, index_t batch, index_t accumulate) {
    using backend = mae::eigen_backend<Operand>;
    auto const train_on = [&](int threads, auto exchange) {
      three_heads<backend> model(three_heads_parts(backend(threads)));
      return train(model, images, batch, accumulate, exchange);
    };
    auto const expected = train_on(1, mae::alone{});
    for (int const threads : {2, 3, 8}) CHECK(train_on(threads, mae::alone{}) == expected);
    for (int const ranks : {2, 4}) {
      CAPTURE(ranks);
      auto const run = [&](auto exchange) { return train_on(1, exchange); };
      for (auto const& one : mae_test::of_ranks(ranks, run)) CHECK(one == expected);
    }
  };
  check(float{}, 180, 1);
  check(mae::bfloat16{}, 90, 2);
}

TEST_CASE("a head that couples images may have tensors: their gradient is the loss's") {
  using encoder =
      mae::headed_encoder<mae_test::small_config, mae::random_ratio_mask, exact, mae_test::scatter>;
  encoder model({.heads = {{}}, .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9})});
  labelled_images const images(120);
  auto const whole = descend(model, images, 120);
  CHECK(largest_difference(descend(model, images, 20, 6).gradient, whole.gradient) <= 1e-10);
  check_gradient(model, images, 120, 1);
}

TEST_CASE("a trainer asks of a model what Trainable says, and no more") {
  labelled_images const images(120);
  using backend = mae::eigen_backend<float>;
  using model_type = three_heads<backend>;
  model_type model(three_heads_parts(backend(2)));
  mae_test::trainable_archetype<model_type> other{model_type(three_heads_parts(backend(2)))};
  static_assert(mae::Trainable<mae_test::trainable_archetype<model_type>>);
  CHECK(train(other, images, 60, 2, mae::alone{}) == train(model, images, 60, 2, mae::alone{}));
  auto const of_model = mae::evaluate_heldout(model, images);
  CHECK(mae::evaluate_heldout(other, images).loss == of_model.loss);
}

TEST_CASE("an encoder is copied out of a model of any heads") {
  using backend = mae::eigen_backend<float>;
  three_heads<backend> const model(three_heads_parts(backend(2)));
  auto const encoder = mae::encoder_of(model);
  static_assert(mae::Encoder<decltype(encoder)>);
  for (auto const& tensor : encoder.layout().tensors())
    CHECK(mae_test::bits_of(encoder.parameters().tensor(tensor.name)) ==
          mae_test::bits_of(model.parameters().tensor(tensor.name)));
}

TEST_CASE("a head of weight 0 is not there: the bits and tensors are those of a painter alone") {
  labelled_images const images(120);
  using backend = mae::eigen_backend<float>;
  auto parts = three_heads_parts(backend(2));
  parts.head_weights = {1, 0, 0};
  three_heads<backend> off(parts);
  mae::autoencoder<mae_test::small_config, mae::random_ratio_mask, backend> alone(
      {.seed = parts.seed, .mask = parts.mask, .backend = parts.backend});
  CHECK(off.layout().size() == alone.layout().size());
  CHECK(train(off, images, 60, 2, mae::alone{}) == train(alone, images, 60, 2, mae::alone{}));
}

TEST_CASE("a head without labels in a step takes no part in it, and the report says so") {
  labelled_images const images(60, 1);  // none has a class
  three_heads<exact> model(three_heads_parts(exact(2)));
  mae::trainer trainer(model, images, {.batch_size = 60, .steps = 2, .warmup_epochs = 0});
  auto const report = trainer.step();
  REQUIRE(report.heads.size() == 3);
  auto const& [painting, spreading, classifying] =
      std::tuple(report.heads[0], report.heads[1], report.heads[2]);
  CHECK(classifying.name == "classifier");
  CHECK(classifying.counted == 0);
  CHECK(classifying.loss == 0);
  CHECK(painting.counted > 0);
  CHECK(spreading.counted == 1);
  CHECK(report.loss == doctest::Approx(painting.loss + 0.5 * spreading.loss));
  auto const gradient = descend(model, images, 60).gradient;
  for (auto const& tensor : model.layout().tensors())
    if (tensor.segment == "classifier")
      for (index_t i = 0; i < tensor.size(); ++i)
        CHECK(gradient[static_cast<std::size_t>(tensor.offset + i)] == 0);
}

TEST_CASE("a step in which no head has a label is refused, with the heads' names") {
  using encoder = mae::headed_encoder<mae_test::small_config,
                                      mae::uniform_mask<mae::ratio{1, 4}>,
                                      exact,
                                      mae::classifier>;
  encoder model({.heads = {mae::classifier{.classes = 4}}});
  labelled_images const images(60, 1);
  mae::trainer trainer(model, images, {.batch_size = 60, .steps = 2, .warmup_epochs = 0});
  std::string const sentence =
      "the images of a step have no label from which a head could learn (classifier): give it "
      "labelled images, a mask that hides patches to be painted, or larger batches (where noise "
      "alone spoils images, noise and a visible_weight)";
  CHECK(refusal_of<mae::config_error>([&] { trainer.step(); }) == sentence);
  CHECK(refusal_of<mae::config_error>([&] { mae::evaluate_heldout(model, images); }) == sentence);
}

TEST_CASE("a loss of images together is none of images held out") {
  using encoder =
      mae::headed_encoder<mae_test::small_config, mae::random_ratio_mask, exact, mae::uniformity>;
  encoder const model({.heads = {{}}, .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9})});
  CHECK(refusal_of<mae::config_error>([&] { mae::evaluate_heldout(model, labelled_images(9)); }) ==
        "all heads of the model couple images: there is no held-out loss of them");
}

TEST_CASE("a classifier alone learns classes that pixels tell") {
  using encoder = mae::headed_encoder<mae_test::small_config,
                                      mae::uniform_mask<mae::ratio{3, 4}>,
                                      mae::eigen_backend<float>,
                                      mae::classifier>;
  encoder model({.heads = {mae::classifier{.classes = 10}}});
  mae::synthetic_dataset const images(400, 3, mae_test::small_config.image);
  mae::trainer trainer(model, images, {.batch_size = 50, .epochs = 40, .lr = 1e-2});
  trainer.run();
  auto const [loss, baseline] = mae::evaluate_heldout(model, images);
  CHECK(baseline == doctest::Approx(std::log(10.0)));
  CHECK(loss < 0.9 * baseline);  // of a quarter of each image
}

TEST_CASE("heads and weights that cannot be are refused") {
  auto const refusal = [](double painting, double spreading, double classifying) {
    return refusal_of<mae::config_error>([&] {
      auto parts = three_heads_parts(exact(1));
      parts.head_weights = {painting, spreading, classifying};
      three_heads<exact> const model(parts);
    });
  };
  CHECK(refusal(0, 0, 0) ==
        "all heads of the network have weight 0 (decoder, uniformity, classifier): there is "
        "nothing to learn");
  CHECK(refusal(1, -1, 0) ==
        "the weight of the head uniformity must be finite and not negative, it is -1");
  CHECK(refusal(1, 1, std::numeric_limits<double>::quiet_NaN()) ==
        "the weight of the head classifier must be finite and not negative, it is nan");

  three_heads<exact> model(three_heads_parts(exact(1)));
  labelled_images const images(10);
  auto const leaves_the_model = [&] { CHECK(model.statistics().mean.empty()); };
  CHECK(refusal_of<mae::config_error>([&] {
          mae::trainer(model, images, {.batch_size = 1, .steps = 10, .warmup_epochs = 0});
        }) ==
        "the head uniformity couples the images of a step, and a step has one: take larger "
        "batches");
  leaves_the_model();
  CHECK_NOTHROW(mae::trainer(
      model, images, {.batch_size = 1, .accumulate = 2, .steps = 5, .warmup_epochs = 0}));

  auto parts = three_heads_parts(exact(1));
  std::get<mae::classifier>(parts.heads).classes = 2;
  three_heads<exact> two_classes(parts);
  mae::trainer trainer(two_classes, images, {.batch_size = 10, .steps = 10, .warmup_epochs = 0});
  CHECK(refusal_of<mae::config_error>([&] {
          trainer.step();
        }).ends_with("but the classifier has only 2 classes"));

  parts = three_heads_parts(exact(1));
  parts.head_weights = {0, 1, 1};
  three_heads<exact> const blind(parts);
  std::vector<float> const image(static_cast<std::size_t>(mae_test::small_config.image.values()));
  auto const plan = mae::mask_plan::all_visible(1, 16);
  CHECK(refusal_of<mae::config_error>([&] { blind.reconstruct(image, plan); }) ==
        "the model paints nothing: its painter has weight 0");
}
