#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/head/contrast.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/optimizer/with_average.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

// Contrast whose keys are a moving average's, with a predictor and a queue of earlier keys.

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;
using exact = mae::eigen_backend<double>;
using fp32 = mae::eigen_backend<float>;

mae::contrast asymmetric(index_t predictor, bool moving, index_t queue) {
  return {.projection = {.hidden = 20, .outputs = 8},
          .predictor = predictor,
          .moving_keys = moving,
          .queue = queue};
}

/// A painter and contrast, with ragged masks.
template <class B>
using model_of = mae::
    autoencoder<small_config, mae::random_ratio_mask, B, mae::normalised_pixels, mae::contrast>;

template <class B>
model_of<B> made(B backend, mae::contrast const& head) {
  return model_of<B>({.seed = 5,
                      .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
                      .backend = std::move(backend),
                      .heads = {head},
                      .head_weights = {1, 0.3}});
}

mae::training_options two_views(index_t batch, index_t accumulate = 1) {
  return {.batch_size = batch,
          .accumulate = accumulate,
          .views = 2,
          .steps = 4,
          .lr = 1e-3,
          .warmup_epochs = 0,
          .drop_path = 0.1};
}

constexpr mae::average_options quick{.momentum = 0.9};

template <class Model, mae::Exchange E = mae::alone>
mae_test::training_state train(Model& model,
                               labelled_images const& images,
                               mae::training_options const& options,
                               E exchange = {}) {
  mae::trainer trainer(
      model, images, options, mae::with_average(mae::adamw{}, quick), std::move(exchange));
  trainer.run();
  return mae_test::state_of(trainer);
}

template <class Call>
std::string refusal_of(Call const& call) {
  try {
    call();
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

/// Where a training stands, from which one step is taken with other parameters.
struct standing {
  mae::training_progress progress;
  std::vector<double> parameters;
  std::vector<std::vector<double>> states;
};

struct stepped {
  double loss = 0;
  std::vector<double> gradient;
  mae::key_queue keys;
};

using descending = mae::with_average<mae::sgd>;

mae::training_options descent_options(index_t batch, index_t accumulate) {
  auto options = two_views(batch, accumulate);
  options.lr = options.min_lr = 1;
  return options;
}

/// Two steps of a training, after which average and values differ and there are earlier keys.
template <class Model>
standing stand(Model& model, labelled_images const& images, mae::training_options options) {
  options.lr = options.min_lr = 0.1;
  descending const rule(mae::sgd{.momentum = 0}, quick);
  mae::trainer trainer(model, images, options, rule);
  trainer.step();
  trainer.step();
  auto const values = std::as_const(model).parameters().values();
  standing at{trainer.progress(), {values.begin(), values.end()}, {}};
  for (char const* const name : trainer.optimizer().rule().state_names) {
    auto const state = trainer.optimizer().state(name);
    at.states.emplace_back(state.begin(), state.end());
  }
  return at;
}

/// A step of gradient descent with rate 1: what the parameters lose is their gradient.
template <class Model>
stepped step_from(Model& model,
                  labelled_images const& images,
                  mae::training_options const& options,
                  standing const& at,
                  std::vector<double> const& parameters) {
  descending const rule(mae::sgd{.momentum = 0}, quick);
  model.set_parameters(parameters);
  mae::trainer trainer(model, images, options, rule);
  std::vector<std::span<double const>> const states(at.states.begin(), at.states.end());
  trainer.resume(at.progress, states);
  stepped found{trainer.step().loss, parameters, trainer.progress().keys};
  for (std::size_t i = 0; i < parameters.size(); ++i)
    found.gradient[i] -= model.parameters().values()[i];
  return found;
}

/// Every tensor's gradient is that of the reported loss, whose keys stay as they are, by central
/// differences in one direction.
template <class Model>
void check_gradient_among_keys(Model& model,
                               labelled_images const& images,
                               index_t batch,
                               index_t parts) {
  auto const options = descent_options(batch, parts);
  auto const at = stand(model, images, options);
  auto const gradient = step_from(model, images, options, at, at.parameters).gradient;
  for (auto const& tensor : model.layout().tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    double analytic = 0;
    auto const loss_at = [&](double length) {
      mae::random_stream random({.seed = 7});
      auto moved = at.parameters;
      analytic = 0;
      for (index_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i) {
        auto const k = static_cast<std::size_t>(i);
        double const direction = random.normal();
        moved[k] += length * direction;
        analytic += direction * gradient[k];
      }
      return step_from(model, images, options, at, moved).loss;
    };
    constexpr double length = 1e-5;
    double const numeric = (loss_at(length) - loss_at(-length)) / (2 * length);
    CHECK(std::abs(numeric - analytic) <= 1e-6 * std::max(1.0, std::abs(analytic)));
    CHECK((tensor.segment != "contrast" || std::abs(analytic) > 1e-9));
  }
}

}  // namespace

TEST_CASE("the gradient of questions to moving and earlier keys is that of the reported loss") {
  labelled_images const images(60);
  auto model = made(exact(2), asymmetric(12, true, 50));
  check_gradient_among_keys(model, images, 20, 1);
  auto plain = made(exact(1), asymmetric(0, true, 0));
  check_gradient_among_keys(plain, images, 10, 2);
}

TEST_CASE("moving keys over accumulated batches and shards are those over all images of a step") {
  labelled_images const images(120);
  auto model = made(exact(2), asymmetric(12, true, 100));
  auto const options = descent_options(60, 1);
  auto const at = stand(model, images, options);
  auto const expected = step_from(model, images, options, at, at.parameters);
  CHECK(expected.keys.size() == 100);
  auto const check = [&](auto& other, index_t accumulate) {
    auto const found =
        step_from(other, images, descent_options(60 / accumulate, accumulate), at, at.parameters);
    CHECK(found.loss == doctest::Approx(expected.loss).epsilon(1e-12));
    CHECK(found.keys.images == expected.keys.images);
    double most = 0;
    for (std::size_t i = 0; i < found.gradient.size(); ++i)
      most = std::max(most, std::abs(found.gradient[i] - expected.gradient[i]));
    CHECK(most <= 1e-10);
  };
  check(model, 3);
  auto other = made(exact(1), asymmetric(12, true, 100));
  check(other, 6);
}

TEST_CASE("moving keys give the same bits for any threads and processes, and recorded") {
  labelled_images const images(90);
  using backend = mae::eigen_backend<mae::bfloat16>;
  auto const train_on = [&](auto on, auto exchange, index_t record = 0) {
    auto model = made(on, asymmetric(12, true, 70));
    auto options = two_views(15, 3);
    options.record_gradients = record;
    return train(model, images, options, exchange);
  };
  auto const expected = train_on(backend(1), mae::alone{});
  CHECK(expected.progress.keys.size() == 70);
  CHECK(train_on(backend(3), mae::alone{}, 2) == expected);
  CHECK(train_on(mae_test::replaying_backend<mae::bfloat16>(1), mae::alone{}) == expected);
  auto const run = [&](auto exchange) { return train_on(backend(1), exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
}

TEST_CASE("a queue has the keys of the last images in their order, and of a step that counts") {
  labelled_images const images(60);
  auto model = made(fp32(2), asymmetric(0, true, 50));
  mae::trainer trainer(model, images, two_views(20), mae::with_average(mae::adamw{}, quick));
  trainer.step();
  auto const first = trainer.progress().keys;
  CHECK(first.size() == 20);
  trainer.step();
  trainer.step();
  auto const last = trainer.progress().keys;
  CHECK(last.size() == 50);
  CHECK(std::equal(first.images.begin() + 10, first.images.end(), last.images.begin()));
  CHECK(std::equal(first.keys.begin() + 80, first.keys.end(), last.keys.begin()));
  CHECK(std::set(last.images.begin(), last.images.end()).size() == 50);  // of one epoch
  for (index_t i = 0; i < last.size(); ++i) {
    double squares = 0;
    for (float const value : last.key(i)) squares += static_cast<double>(value * value);
    CHECK(squares == doctest::Approx(1).epsilon(1e-5));
  }
}

TEST_CASE("a queue stays as it is in a step that is left out, and in one in which contrast rests") {
  labelled_images const images(60);
  auto const head = asymmetric(0, true, 50);
  mae::with_average const rule(mae::adamw{}, quick);
  auto options = two_views(20);
  SUBCASE("left out") {
    options.non_finite = mae::non_finite_policy::skip;
    auto model = made(fp32(2), head);
    mae::trainer trainer(model, images, options, rule);
    trainer.step();
    auto const keys = trainer.progress().keys;
    auto const values = std::as_const(model).parameters().values();
    std::vector<float> const kept(values.begin(), values.end());
    model.set_parameters(std::vector<float>(kept.size(), std::nanf("")));
    CHECK(trainer.step().skipped);
    CHECK(trainer.progress().keys == keys);
    model.set_parameters(kept);
    CHECK(!trainer.step().skipped);
    auto const later = trainer.progress().keys;
    CHECK(later.size() == 40);
    CHECK(std::equal(keys.keys.begin(), keys.keys.end(), later.keys.begin()));
  }
  SUBCASE("rests") {
    options.head_schedules = {
        {.head = "contrast", .points = {{1, 0.2}, {0, 0.2}, {0, 0.6}, {1, 0.6}}}};
    auto model = made(fp32(2), head);
    mae::trainer trainer(model, images, options, rule);
    std::vector<index_t> sizes;
    std::vector<mae::image_index> first;
    trainer.run({.on_step = [&](mae::step_report const& report) {
      sizes.push_back(trainer.progress().keys.size());
      if (report.step == 1) first = trainer.progress().keys.images;
      CHECK((report.heads[1].weight == 0) == (report.step == 2 || report.step == 3));
    }});
    CHECK(sizes == std::vector<index_t>{20, 20, 20, 40});
    CHECK(std::equal(first.begin(), first.end(), trainer.progress().keys.images.begin()));
  }
}

TEST_CASE("contrast of moving keys is learned") {
  auto model = made(fp32(2), asymmetric(16, true, 32));
  labelled_images const images(64);
  auto options = two_views(32);
  options.steps = 150;
  options.lr = 3e-3;
  options.augment = {.crop_min = 0.9, .flip = false};
  mae::trainer trainer(model, images, options, mae::with_average(mae::adamw{}, {.momentum = 0.95}));
  double const first = trainer.step().heads[1].loss;
  CHECK(first == doctest::Approx(std::log(32.0)).epsilon(0.3));
  CHECK(trainer.step().heads[1].loss > first);  // the queue has begun to fill
  double last = first;
  trainer.run({.on_step = [&](mae::step_report const& report) { last = report.heads[1].loss; }});
  CHECK(last < 0.85 * std::log(64.0));  // chance, but for an image's own earlier keys
}

TEST_CASE("a training with earlier keys is resumed to the same bits, and not with others") {
  mae_test::temporary_folder const folder;
  auto const file = (folder.path() / "training.safetensors").string();
  labelled_images const images(60);
  auto const head = asymmetric(12, true, 50);
  auto whole = made(fp32(2), head);
  auto const expected = train(whole, images, two_views(20));

  mae::with_average const rule(mae::adamw{}, quick);
  auto begun = made(fp32(2), head);
  mae::trainer first(begun, images, two_views(20), rule);
  first.step();
  first.step();
  first.step();
  mae::save_training(file, first);
  auto resumed = made(fp32(2), head);
  mae::trainer second(resumed, images, two_views(20), rule);
  mae::load_training(file, second);
  CHECK(second.progress() == first.progress());
  second.run();
  CHECK(mae_test::state_of(second) == expected);
  auto taken = made(fp32(2), head);
  CHECK(mae::load_model(file, taken).empty());

  auto const refused = [&](mae::contrast const& other) {
    auto model = made(fp32(1), other);
    mae::trainer training(model, images, two_views(20), rule);
    return refusal_of([&] { mae::load_training(file, training); });
  };
  CHECK(refused(asymmetric(12, true, 40)).find("contrast.queue is 50 in the file, but 40 here") !=
        std::string::npos);
  CHECK(refused(asymmetric(12, true, 0)).find("contrast.queue is 50") != std::string::npos);
  CHECK(refused(asymmetric(12, false, 0)).find("contrast.keys is moving in the file, but own") !=
        std::string::npos);
  CHECK(refused(asymmetric(0, true, 50)).find("contrast.predictor is 12 in the file, but 0 here") !=
        std::string::npos);
}

TEST_CASE("a training of before keys could move goes on, with keys of its own") {
  mae_test::temporary_folder const folder;
  auto const file = (folder.path() / "training.safetensors").string();
  labelled_images const images(40);
  auto const begin = [&](mae::contrast const& head, auto const& use) {
    auto model = made(fp32(1), head);
    mae::trainer training(model, images, two_views(20), mae::with_average(mae::adamw{}, quick));
    use(training);
  };
  begin(asymmetric(0, false, 0), [&](auto& training) { mae::save_training(file, training); });
  auto const saved = mae::safetensors_file::load(file);
  auto metadata = saved.metadata();
  for (char const* const entry : {"contrast.predictor", "contrast.keys", "contrast.queue"})
    CHECK(metadata.erase(entry) == 1);
  auto const older = (folder.path() / "older.safetensors").string();
  mae::save_safetensors(older, saved.tensors(), metadata);
  begin(asymmetric(0, false, 0), [&](auto& training) {
    CHECK(refusal_of([&] { mae::load_training(older, training); }).empty());
  });
  begin(asymmetric(8, false, 0), [&](auto& training) {
    CHECK(refusal_of([&] {
            mae::load_training(older, training);
          }).find("contrast.predictor is 0 in the file, but 8 here") != std::string::npos);
  });
}

TEST_CASE("keys that cannot be are refused") {
  labelled_images const images(60);
  auto moving = made(fp32(1), asymmetric(0, true, 0));
  CHECK(refusal_of([&] { mae::trainer(moving, images, two_views(20)); }) ==
        "the update rule adamw keeps no average that a head could take its keys from: train by one "
        "that does, with_average");
  auto long_queue = made(fp32(1), asymmetric(0, true, 61));
  mae::with_average const rule(mae::adamw{}, quick);
  CHECK(
      refusal_of([&] { mae::trainer(long_queue, images, two_views(20), rule); }) ==
      "the head contrast is to compare with 61 earlier keys, and there are 60 images: take a queue "
      "no longer than the dataset");
  auto const both = [](index_t second) {
    mae::network_parts<mae::contrast, mae::contrast> const parts{
        .config = small_config, .heads = {asymmetric(0, true, 8), asymmetric(0, true, second)}};
    return refusal_of([&] { mae::require_queue(parts, 60); });
  };
  CHECK(both(8).find("is the second that keeps earlier keys") != std::string::npos);
  CHECK(both(0).empty());
  CHECK(refusal_of([&] {
          made(fp32(1), asymmetric(0, false, 10));
        }).starts_with("contrast's queue needs moving keys"));
  CHECK(!refusal_of([&] { made(fp32(1), asymmetric(-1, false, 0)); }).empty());
  CHECK(!refusal_of([&] { made(fp32(1), asymmetric(0, true, -1)); }).empty());
}
