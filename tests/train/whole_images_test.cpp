#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/eval/class_scores.hpp>
#include <mae/head/classifier.hpp>
#include <mae/mask/none.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::labelled_images;
using exact = mae::eigen_backend<double>;

template <class B>
using whole_classifier =
    mae::headed_encoder<mae_test::small_config, mae::no_mask, B, mae::classifier>;

constexpr mae::training_options one_step{
    .batch_size = 40, .steps = 1, .lr = 1, .warmup_epochs = 0, .augment = {.crop_min = 1}};

}  // namespace

TEST_CASE("a classifier of whole images has the gradient of its loss, by central differences") {
  labelled_images const images(40);
  whole_classifier<exact> model({.heads = {mae::classifier{.classes = 4}}});
  std::vector<double> const before(model.parameters().values().begin(),
                                   model.parameters().values().end());
  std::vector<double> gradient = before;
  auto const loss_at = [&](std::vector<double> const& values) {
    model.set_parameters(values);
    return mae::trainer(model, images, one_step, mae::sgd{.momentum = 0}).step().loss;
  };
  loss_at(before);
  for (std::size_t i = 0; i < before.size(); ++i) gradient[i] -= model.parameters().values()[i];
  for (auto const& tensor : model.layout().tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    constexpr double step = 1e-5;
    std::minstd_rand random(5);
    auto ahead = before;
    auto behind = before;
    double analytic = 0;
    for (index_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i) {
      auto const at = static_cast<std::size_t>(i);
      double const direction = std::uniform_real_distribution(-1.0, 1.0)(random);
      ahead[at] += step * direction;
      behind[at] -= step * direction;
      analytic += direction * gradient[at];
    }
    double const numeric = (loss_at(ahead) - loss_at(behind)) / (2 * step);
    CHECK(std::abs(numeric - analytic) <= 1e-6 * std::max(1.0, std::abs(analytic)));
  }
}

TEST_CASE("threads and shards change nothing of a training on whole images") {
  labelled_images const images(200);
  auto const train = [&](auto backend, index_t batch, index_t accumulate) {
    whole_classifier<decltype(backend)> model(
        {.heads = {mae::classifier{.classes = 4}}, .backend = backend});
    mae::trainer trainer(
        model, images, {.batch_size = batch, .accumulate = accumulate, .steps = 4, .lr = 1e-3});
    trainer.run();
    return mae_test::state_of(trainer);
  };
  using fp32 = mae::eigen_backend<float>;
  using bf16 = mae::eigen_backend<mae::bfloat16>;
  auto const expected = train(fp32(1), 147, 1);
  for (int const threads : {2, 3, 8}) CHECK(train(fp32(threads), 147, 1) == expected);
  CHECK(train(bf16(1), 60, 2) == train(bf16(3), 60, 2));
}

TEST_CASE("a classifier of whole images is evaluated on whole images") {
  mae::synthetic_dataset const images(400, 3, mae_test::small_config.image);
  whole_classifier<mae::eigen_backend<float>> model({.heads = {mae::classifier{.classes = 10}}});
  mae::training_options options{
      .batch_size = 50, .epochs = 40, .lr = 3e-3, .augment = {.crop_min = 1, .flip = false}};
  mae::trainer(model, images, options).run();
  auto const [loss, baseline] = mae::evaluate_heldout(model, images);
  options = {.batch_size = 400, .steps = 1, .warmup_epochs = 0, .augment = options.augment};
  CHECK(loss == doctest::Approx(mae::trainer(model, images, options).step().loss).epsilon(1e-4));
  CHECK(loss < 0.5 * baseline);
}

TEST_CASE("a painter has nothing to learn of whole images") {
  labelled_images const images(40);
  mae::autoencoder<mae_test::small_config, mae::no_mask> painting;
  mae::trainer trainer(painting, images, one_step);
  CHECK(refusal_of<mae::config_error>([&] { trainer.step(); }) ==
        "the images of a step have no label from which a head could learn (decoder): give it "
        "labelled images, a mask that hides patches to be painted, or larger batches (where noise "
        "alone spoils images, noise and a visible_weight)");
  using both = mae::autoencoder<mae_test::small_config,
                                mae::no_mask,
                                mae::eigen_backend<float>,
                                mae::normalised_pixels,
                                mae::classifier>;
  both model({.heads = {mae::classifier{.classes = 4}}, .head_weights = {1, 1}});
  mae::trainer other(model, images, one_step);
  auto const report = other.step();
  CHECK(report.heads[0].counted == 0);
  CHECK(report.loss == report.heads[1].loss);
}

TEST_CASE("the scores of a classifier are those that its loss is made of") {
  labelled_images const images(70, 1000);
  whole_classifier<exact> model({.heads = {mae::classifier{.classes = 4}}, .backend = exact(3)});
  mae::trainer trainer(model, images, {.batch_size = 35, .steps = 3, .warmup_epochs = 0});
  trainer.run();
  auto const scores = mae::class_scores(model, images);
  REQUIRE(scores.size() == 70 * 4);
  double loss = 0;
  for (index_t i = 1; i < images.size(); ++i) {  // the first has no class
    auto const* const of = scores.data() + 4 * i;
    double sum = 0;
    for (int k = 0; k < 4; ++k) sum += std::exp(of[k]);
    loss += (std::log(sum) - of[images.label(i)]) / 69;
  }
  CHECK(loss == doctest::Approx(mae::evaluate_heldout(model, images).loss).epsilon(1e-12));
  CHECK(refusal_of<mae::config_error>([&] {
          mae::class_scores(model, mae::synthetic_dataset(3, 1, {32, 32, 3}));
        }) == "images of 32x32x3 for a model of images of 16x16x3");
}
