#include "descent.hpp"
#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/contrast.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/head_schedule.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How much each head counts moves during a training.

namespace {

using mae::head_schedules_of;
using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;
using exact = mae::eigen_backend<double>;

template <class B>
using painting_and_contrast = mae::
    autoencoder<small_config, mae::random_ratio_mask, B, mae::normalised_pixels, mae::contrast>;

template <class B>
painting_and_contrast<B> make_model(B backend, double contrast = 0.3) {
  return painting_and_contrast<B>(
      {.seed = 5,
       .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
       .backend = std::move(backend),
       .heads = {mae::contrast{.projection = {.hidden = 20, .outputs = 8}}},
       .head_weights = {1, contrast}});
}

mae::training_options options_of(std::string_view schedules, index_t alternate = 0) {
  return {.batch_size = 45,
          .accumulate = 2,
          .views = 2,
          .steps = 6,
          .lr = 1e-3,
          .warmup_epochs = 0,
          .head_schedules = head_schedules_of(schedules),
          .alternate = alternate};
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

std::string refused_text(std::string_view text) {
  return refusal_of([&] { head_schedules_of(text); });
}

template <class B, class E = mae::alone>
mae_test::training_state train(mae::training_options const& options, B backend, E exchange = {}) {
  static labelled_images const images(180);
  auto model = make_model(std::move(backend));
  mae::trainer trainer(model, images, options, mae::adamw{}, exchange);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("factors are linear between points and constant beyond them") {
  auto const schedules = head_schedules_of("contrast=0@0.2,1@0.4,1@0.6,0.5@0.6;decoder=2@1");
  REQUIRE(schedules.size() == 2);
  auto const& contrast = schedules[0];
  CHECK(contrast(0) == 0);
  CHECK(contrast(0.2) == 0);
  CHECK(contrast(0.3) == doctest::Approx(0.5).epsilon(1e-12));
  CHECK(contrast(0.4) == 1);
  CHECK(contrast(0.5) == 1);
  CHECK(contrast(0.6) == 0.5);  // a jump
  CHECK(contrast(1) == 0.5);
  CHECK(schedules[1](0) == 2);
  CHECK(head_schedules_of(mae::to_text(schedules)) == schedules);
  CHECK(mae::to_text(schedules) == "contrast=0@0.2,1@0.4,1@0.6,0.5@0.6;decoder=2@1");
  CHECK(head_schedules_of("").empty());
}

TEST_CASE("text that is no schedule is refused") {
  CHECK(refused_text("contrast") == "the schedule of the head 'contrast' has no point");
  CHECK(refused_text("contrast=1").starts_with("head schedule: '' is no number, in"));
  CHECK(refused_text("contrast=x@0").starts_with("head schedule: 'x' is no number, in"));
  CHECK(refused_text("contrast=1@0.5x").find("'0.5x' is no number") != std::string::npos);
  CHECK(refused_text("contrast=-1@0").find("must be finite and not negative") != std::string::npos);
  CHECK(refused_text("contrast=inf@0").find("must be finite and not neg") != std::string::npos);
  CHECK(refused_text("contrast=1@0.5,0@0.4").find("points ascend") != std::string::npos);
  CHECK(refused_text("contrast=1@nan").find("points ascend") != std::string::npos);
  CHECK(refused_text("contrast=1@1.5").find("points ascend") != std::string::npos);
  CHECK(refused_text("contrast=1@0;contrast=1@0") ==
        "the head 'contrast' has two schedules: give it one");
}

TEST_CASE("a head whose weight is 0 in a step changes no bit of it") {
  labelled_images const images(180);
  auto both = make_model(mae::eigen_backend<float>(2));
  mae::trainer trainer(both, images, options_of("contrast=0@0,0@0.9,1@1"));
  using painting =
      mae::autoencoder<small_config, mae::random_ratio_mask, mae::eigen_backend<float>>;
  painting alone({.seed = 5,
                  .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
                  .backend = mae::eigen_backend<float>(2)});
  mae::trainer other(alone, images, options_of(""));
  for (int i = 0; i < 5; ++i) {
    auto const report = trainer.step();
    CHECK(report.heads[1].weight == 0);
    CHECK(report.loss == other.step().loss);
  }
  auto const size = static_cast<std::size_t>(alone.layout().size());
  CHECK(mae_test::bits_of(both.parameters().values().first(size)) ==
        mae_test::bits_of(alone.parameters().values()));
}

TEST_CASE("a factor is one of the weight") {
  labelled_images const images(60);
  auto scheduled = make_model(exact(2));
  auto fixed = make_model(exact(2), 0.15);
  auto const half =
      mae_test::descend(scheduled, images, 30, 1, 2, options_of("contrast=0.5@0,0.5@1"));
  auto const expected = mae_test::descend(fixed, images, 30, 1, 2);
  CHECK(half.loss == expected.loss);
  CHECK(half.gradient == expected.gradient);
}

TEST_CASE("the weights of each step are those of its progress") {
  labelled_images const images(180);
  auto model = make_model(mae::eigen_backend<float>(2));
  mae::trainer trainer(model, images, options_of("contrast=0@0,1@0.5;decoder=1@0.5,0@0.8"));
  std::vector<double> contrast, decoder;
  trainer.run({.on_step = [&](mae::step_report const& report) {
    decoder.push_back(report.heads[0].weight);
    contrast.push_back(report.heads[1].weight);
    double sum = 0;
    for (auto const& head : report.heads) sum += head.weight * head.loss;
    CHECK(sum == doctest::Approx(report.loss).epsilon(1e-12));
    CHECK((report.heads[0].loss > 0) == (report.heads[0].weight > 0));
  }});
  std::array<double, 6> const of_contrast{0, 0.1, 0.2, 0.3, 0.3, 0.3};
  std::array<double, 6> const of_decoder{1, 1, 1, 1, 4.0 / 9, 0};
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(contrast[i] == doctest::Approx(of_contrast[i]).epsilon(1e-12));
    CHECK(decoder[i] == doctest::Approx(of_decoder[i]).epsilon(1e-12));
  }
}

TEST_CASE("heads take turns") {
  labelled_images const images(180);
  auto model = make_model(mae::eigen_backend<float>(2));
  mae::trainer trainer(
      model, images, options_of("", 2), mae::sgd{.weight_decay = 0, .momentum = 0});
  auto const& layout = model.layout();
  auto const of = [&](std::string_view name) {
    auto const& tensor = layout.find(std::string(name));
    return mae_test::bits_of(model.parameters().values().subspan(
        static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size())));
  };
  for (int step = 0; step < 6; ++step) {
    CAPTURE(step);
    auto const encoder = of("blocks.0.attn.qkv.weight");
    auto const decoder = of("decoder_embed.weight");
    auto const contrast = of("contrast.fc1.weight");
    auto const report = trainer.step();
    bool const is_painting = step / 2 % 2 == 0;
    CHECK(report.heads[0].weight == (is_painting ? 1 : 0));
    CHECK(report.heads[1].weight == (is_painting ? 0 : 0.3));
    CHECK(of("blocks.0.attn.qkv.weight") != encoder);
    CHECK((of("decoder_embed.weight") != decoder) == is_painting);
    CHECK((of("contrast.fc1.weight") != contrast) == !is_painting);
  }
}

TEST_CASE("schedules give the same bits for any threads and processes, recorded and resumed") {
  using fp32 = mae::eigen_backend<float>;
  auto const check = [](mae::training_options const& options) {
    auto const expected = train(options, fp32(1));
    CHECK(train(options, fp32(3)) == expected);
    CHECK(train(options, mae_test::replaying_backend<float>(1)) == expected);
    auto const run = [&](auto exchange) { return train(options, fp32(1), exchange); };
    for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);

    mae_test::temporary_folder const folder;
    labelled_images const images(180);
    for (int const done : {1, 4}) {
      auto const file = folder.file("training");
      auto begun = make_model(fp32(2));
      mae::trainer first(begun, images, options);
      for (int i = 0; i < done; ++i) first.step();
      mae::save_training(file, first);
      auto resumed = make_model(fp32(2));
      mae::trainer second(resumed, images, options);
      mae::load_training(file, second);
      second.run();
      CHECK(mae_test::state_of(second) == expected);
    }
  };
  check(options_of("contrast=0@0,1@0.5;decoder=1@0.5,0@0.8"));
  check(options_of("", 1));
}

TEST_CASE("schedules that cannot be are refused, and so are other ones on a resume") {
  mae_test::temporary_folder const folder;
  labelled_images const images(180);
  auto model = make_model(mae::eigen_backend<float>(2));
  auto const refusal = [&](mae::training_options const& options) {
    return refusal_of([&] { mae::trainer(model, images, options); });
  };
  CHECK(refusal(options_of("uniformity=1@0")) ==
        "a schedule names the head 'uniformity', which the network does not have, or which has "
        "weight 0; it has decoder, contrast");
  CHECK(refusal(options_of("decoder=1@0.2,0@0.5;contrast=0@0.6,1@0.9")) ==
        "the schedules of the heads leave none at progress 0.5: one must have a weight above 0");
  CHECK(refusal(options_of("decoder=1@0,0@1;contrast=1@0,0@1")).empty());  // 1 is never reached
  CHECK(refusal(options_of("", -1)) == "the steps of a head's turn must not be negative");
  auto broken = options_of("decoder=1@0");
  broken.head_schedules[0].points.clear();
  CHECK(refusal(broken) == "the schedule of the head 'decoder' has no point");

  auto const file = folder.file("training");
  mae::trainer saved(model, images, options_of("decoder=1@0,0@0.5"));
  mae::save_training(file, saved);
  mae::trainer other(model, images, options_of("decoder=1@0,0@0.6"));
  CHECK(refusal_of([&] {
          mae::load_training(file, other);
        }).find("head_schedules is decoder=1@0,0@0.5 in the file, but decoder=1@0,0@0.6 here") !=
        std::string::npos);
}

TEST_CASE("a ramp of masks at other times is refused on a resume") {
  mae_test::temporary_folder const folder;
  labelled_images const images(60);
  auto const file = folder.file("training");
  auto const options = mae::training_options{.batch_size = 30, .steps = 4, .warmup_epochs = 0};
  auto const make = [](double begins) {
    return mae_test::small_model<mae::ramped_mask>(
        {.mask = mae::ramped_mask({.from = 0.75, .to = 0.25, .begins = begins})});
  };
  auto late = make(0.85);
  mae::trainer saved(late, images, options);
  mae::save_training(file, saved);
  auto usual = make(0);
  mae::trainer other(usual, images, options);
  CHECK(refusal_of([&] {
          mae::load_training(file, other);
        }).find("mask_over is 0.85,1 in the file, but 0,1 here") != std::string::npos);
}
