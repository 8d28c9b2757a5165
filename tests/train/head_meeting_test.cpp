#include "descent.hpp"
#include "editable_file.hpp"
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
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/gradient_products.hpp>
#include <mae/train/head_schedule.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <bitset>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How the gradients of a training's heads meet, and the rules of their conflicts.

namespace {

using mae::conflict_rule;
using mae::index_t;
using mae_test::descend;
using mae_test::labelled_images;
using mae_test::largest_difference;
using mae_test::three_heads;
using mae_test::three_heads_parts;
using exact = mae::eigen_backend<double>;
using fp32 = mae::eigen_backend<float>;

template <class B>
using painting_and_contrast = mae::autoencoder<mae_test::small_config,
                                               mae::random_ratio_mask,
                                               B,
                                               mae::normalised_pixels,
                                               mae::contrast>;

template <class B>
painting_and_contrast<B> two_heads(B backend) {
  return painting_and_contrast<B>(
      {.seed = 5,
       .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
       .backend = std::move(backend),
       .heads = {mae::contrast{.projection = {.hidden = 20, .outputs = 8}}},
       .head_weights = {1, 0.3}});
}

/// The gradient of weight times loss of each of three heads, by steps in which the others rest.
std::vector<std::vector<double>> gradients_of_three(three_heads<exact>& model,
                                                    labelled_images const& images) {
  std::vector<std::vector<double>> gradients;
  for (auto const* const others : {"uniformity=0@0;classifier=0@0",
                                   "decoder=0@0;classifier=0@0",
                                   "decoder=0@0;uniformity=0@0"})
    gradients.push_back(
        descend(model, images, 60, 1, 1, {.head_schedules = mae::head_schedules_of(others)})
            .gradient);
  return gradients;
}

/// The inner product on the encoder's parameters, of one depth or (-1) of all.
double product_on_encoder(mae::parameter_layout const& layout,
                          std::vector<double> const& a,
                          std::vector<double> const& b,
                          index_t depth) {
  double sum = 0;
  for (auto const& tensor : layout.tensors())
    if (tensor.segment == mae::encoder_segment && tensor.kind == mae::tensor_kind::parameter &&
        (depth < 0 || tensor.depth == depth))
      for (index_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i)
        sum += a[static_cast<std::size_t>(i)] * b[static_cast<std::size_t>(i)];
  return sum;
}

/// The heads' gradients added up, on the encoder each times its share.
std::vector<double> added_up(mae::parameter_layout const& layout,
                             std::vector<std::vector<double>> const& gradients,
                             std::vector<double> const& shares) {
  std::vector<double> sum(gradients.front().size());
  for (auto const& tensor : layout.tensors())
    for (std::size_t head = 0; head < gradients.size(); ++head) {
      double const share = tensor.segment == mae::encoder_segment ? shares[head] : 1;
      for (index_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i)
        sum[static_cast<std::size_t>(i)] += share * gradients[head][static_cast<std::size_t>(i)];
    }
  return sum;
}

mae::training_options options_of(conflict_rule conflicts, std::string_view schedules = "") {
  return {.batch_size = 45,
          .views = 2,
          .steps = 6,
          .lr = 1e-3,
          .warmup_epochs = 0,
          .head_schedules = mae::head_schedules_of(schedules),
          .conflicts = conflicts};
}

template <class B, class E = mae::alone>
mae_test::training_state train(mae::training_options const& options, B backend, E exchange = {}) {
  static labelled_images const images(180);
  auto model = two_heads(std::move(backend));
  mae::trainer trainer(model, images, options, mae::adamw{}, exchange);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("what is recorded are the products of each head's own gradient of weight times loss") {
  labelled_images const images(120);
  three_heads<exact> model(three_heads_parts(exact(2)));
  auto const gradients = gradients_of_three(model, images);
  mae::trainer trainer(
      model,
      images,
      {.batch_size = 60, .steps = 4, .lr = 1e-3, .warmup_epochs = 0, .record_gradients = 2});
  // Of step 1 no record; its parameters are those of the gradients above.
  CHECK(trainer.step().gradients == nullptr);
  three_heads<exact> same(three_heads_parts(exact(2)));
  mae::trainer recording(
      same,
      images,
      {.batch_size = 60, .steps = 4, .lr = 1e-3, .warmup_epochs = 0, .record_gradients = 1});
  auto const report = recording.step();
  REQUIRE(report.gradients != nullptr);
  auto const& met = *report.gradients;
  REQUIRE(met.heads == 3);
  REQUIRE(met.depths == 4);  // embedding, two blocks, norm
  for (std::size_t depth = 0; depth < 4; ++depth)
    for (std::size_t a = 0; a < 3; ++a)
      for (std::size_t b = 0; b < 3; ++b) {
        CAPTURE(depth);
        CAPTURE(a);
        CAPTURE(b);
        double const expected = product_on_encoder(
            model.layout(), gradients[a], gradients[b], static_cast<index_t>(depth));
        double const scale = met.norm(depth, a) * met.norm(depth, b);
        CHECK(scale > 0);
        CHECK(std::abs(met(depth, a, b) - expected) <= 1e-9 * scale);
        if (a == b) CHECK(met.cosine(depth, a, b) == doctest::Approx(1).epsilon(1e-12));
      }
  CHECK(trainer.step().gradients != nullptr);
}

TEST_CASE("a head that rests is in no record, and one without labels neither") {
  labelled_images const images(60, 1);  // none has a class
  three_heads<exact> model(three_heads_parts(exact(2)));
  mae::trainer trainer(model,
                       images,
                       {.batch_size = 60,
                        .steps = 2,
                        .warmup_epochs = 0,
                        .head_schedules = mae::head_schedules_of("uniformity=0@0.2,1@0.5"),
                        .record_gradients = 1});
  auto const first = *trainer.step().gradients;
  CHECK(first.norm(1, 0) > 0);
  CHECK(first.norm(1, 1) == 0);
  CHECK(std::isnan(first.cosine(1, 0, 1)));
  auto const second = *trainer.step().gradients;
  CHECK(second.norm(1, 1) > 0);
  CHECK(std::abs(second.cosine(1, 0, 1)) <= 1);
  CHECK(second.norm(1, 2) == 0);  // a classifier without classes
}

TEST_CASE("a record changes no bit of a training") {
  auto const check = [](mae::training_options options, auto backend) {
    auto const expected = train(options, backend);
    options.record_gradients = 1;
    CHECK(train(options, backend) == expected);
    options.record_gradients = 3;
    CHECK(train(options, backend) == expected);
  };
  check(options_of(conflict_rule::sum), fp32(2));
  check(options_of(conflict_rule::sum), mae::eigen_backend<mae::bfloat16>(2));
  check(options_of(conflict_rule::sum), mae_test::replaying_backend<float>(1));
  check(options_of(conflict_rule::sum, "contrast=0@0,1@0.5;decoder=1@0.5,0@0.8"), fp32(2));
  check(options_of(conflict_rule::project), fp32(2));
  auto accumulated = options_of(conflict_rule::sum);
  accumulated.batch_size = 30;
  accumulated.accumulate = 3;
  check(accumulated, fp32(2));
  accumulated.alternate = 2;
  check(accumulated, fp32(2));
}

TEST_CASE("records are the same for any threads and processes") {
  labelled_images const images(180);
  auto options = options_of(conflict_rule::sum);
  options.record_gradients = 1;
  auto const recorded = [&](int threads, auto exchange) {
    auto model = two_heads(fp32(threads));
    mae::trainer trainer(model, images, options, mae::adamw{}, exchange);
    std::vector<double> all;
    trainer.run({.on_step = [&](mae::step_report const& report) {
      auto const& met = *report.gradients;
      for (std::size_t depth = 0; depth < met.depths; ++depth)
        for (double const value : {met(depth, 0, 0), met(depth, 0, 1), met(depth, 1, 1)})
          all.push_back(value);
    }});
    return all;
  };
  auto const expected = recorded(1, mae::alone{});
  REQUIRE(expected.size() == 6 * 4 * 3);
  CHECK(recorded(2, mae::alone{}) == expected);
  CHECK(recorded(3, mae::alone{}) == expected);
  auto const run = [&](auto exchange) { return recorded(1, exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
}

TEST_CASE("projection takes conflicting components out of the encoder's gradient alone") {
  labelled_images const images(120);
  auto parts = three_heads_parts(exact(2));
  parts.seed = 2;  // at which each conflicts with the others
  three_heads<exact> model(parts);
  auto const gradients = gradients_of_three(model, images);
  auto const& layout = model.layout();
  auto const product = [&](std::size_t a, std::size_t b) {
    return product_on_encoder(layout, gradients[a], gradients[b], -1);
  };
  for (auto const& [a, b] : {std::pair(0U, 1U), std::pair(0U, 2U), std::pair(1U, 2U)})
    CHECK(product(a, b) < 0);
  mae::random_stream random({.use = mae::purpose::project});
  auto const shares = mae::projected_shares(std::bitset<3>("111"), product, random);
  auto const found =
      descend(model, images, 60, 1, 1, {.conflicts = conflict_rule::project}).gradient;
  CHECK(largest_difference(found, added_up(layout, gradients, {shares[0], shares[1], shares[2]})) <=
        1e-10);
  CHECK(largest_difference(found, added_up(layout, gradients, {1, 1, 1})) > 1e-5);
}

TEST_CASE("balanced heads have gradients of one norm at the last block") {
  labelled_images const images(120);
  three_heads<exact> model(three_heads_parts(exact(2)));
  auto const gradients = gradients_of_three(model, images);
  auto const& layout = model.layout();
  std::vector<double> norms;
  for (auto const& one : gradients)
    norms.push_back(std::sqrt(product_on_encoder(layout, one, one, 2)));
  double const mean = (norms[0] + norms[1] + norms[2]) / 3;
  std::vector<double> const shares{mean / norms[0], mean / norms[1], mean / norms[2]};
  mae::training_options options{.conflicts = conflict_rule::balance};
  auto const found = descend(model, images, 60, 1, 1, options).gradient;
  CHECK(largest_difference(found, added_up(layout, gradients, shares)) <= 1e-10);
  // A schedule takes away its share of that norm.
  options.head_schedules = mae::head_schedules_of("uniformity=0.25@0");
  auto const less = descend(model, images, 60, 1, 1, options).gradient;
  auto scheduled = gradients;
  for (double& value : scheduled[1]) value *= 0.25;
  CHECK(largest_difference(less, added_up(layout, scheduled, shares)) <= 1e-10);
}

TEST_CASE("the norms are those of a moving average") {
  labelled_images const images(180);
  auto options = options_of(conflict_rule::balance);
  options.balance_momentum = 0.5;
  options.record_gradients = 1;
  auto model = two_heads(fp32(2));
  mae::trainer trainer(model, images, options);
  std::vector<double> averages;
  for (int step = 0; step < 3; ++step) {
    auto const report = trainer.step();
    for (std::size_t head = 0; head < 2; ++head) {
      double const norm = report.gradients->norm(2, head);
      if (step == 0) averages.push_back(norm);
      averages[head] = step == 0 ? norm : 0.5 * averages[head] + 0.5 * norm;
      CHECK(trainer.progress().norms[head] == doctest::Approx(averages[head]).epsilon(1e-12));
    }
  }
}

TEST_CASE("rules give the same bits for any threads and processes, recorded and resumed") {
  auto const check = [](mae::training_options const& options) {
    auto const expected = train(options, fp32(1));
    CHECK(train(options, fp32(2)) == expected);
    CHECK(train(options, fp32(3)) == expected);
    CHECK(train(options, mae_test::replaying_backend<float>(1)) == expected);
    auto const run = [&](auto exchange) { return train(options, fp32(1), exchange); };
    for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);

    mae_test::temporary_folder const folder;
    labelled_images const images(180);
    for (int const done : {0, 1, 4}) {
      auto const file = folder.file("training");
      auto begun = two_heads(fp32(2));
      mae::trainer first(begun, images, options);
      for (int i = 0; i < done; ++i) first.step();
      mae::save_training(file, first);
      auto resumed = two_heads(fp32(2));
      mae::trainer second(resumed, images, options);
      mae::load_training(file, second);
      second.run();
      CHECK(mae_test::state_of(second) == expected);
    }
  };
  for (auto const rule : {conflict_rule::project, conflict_rule::balance}) {
    check(options_of(rule));
    check(options_of(rule, "contrast=0@0,0@0.3,1@0.5;decoder=1@0.5,0@0.8"));
    auto accumulated = options_of(rule);
    accumulated.batch_size = 30;
    accumulated.accumulate = 3;
    check(accumulated);
  }
  auto const plain = train(options_of(conflict_rule::sum), fp32(1)).values;
  CHECK(train(options_of(conflict_rule::project), fp32(1)).values != plain);
  CHECK(train(options_of(conflict_rule::balance), fp32(1)).values != plain);
}

TEST_CASE("with one head that has a weight, projection changes no bit") {
  auto const schedule = "contrast=0@0,0@0.9,1@1";
  auto const expected = train(options_of(conflict_rule::sum, schedule), fp32(2));
  CHECK(train(options_of(conflict_rule::project, schedule), fp32(2)) == expected);
}

TEST_CASE("rules that cannot be are refused, and so are other ones on a resume") {
  mae_test::temporary_folder const folder;
  labelled_images const images(180);
  auto model = two_heads(fp32(2));
  auto const refusal = [&](mae::training_options const& options) {
    return refusal_of<mae::error>([&] { mae::trainer(model, images, options); });
  };
  auto options = options_of(conflict_rule::project);
  options.alternate = 2;
  CHECK(refusal(options).starts_with("heads that take turns have one gradient a step"));
  options = options_of(conflict_rule::balance);
  options.balance_momentum = 1;
  CHECK(refusal(options) ==
        "the momentum of the averages that balance gradients must lie in [0, 1)");
  options = options_of(conflict_rule::sum);
  options.record_gradients = -1;
  CHECK(refusal(options) ==
        "the steps from one record of gradients to the next must not be negative");

  mae_test::small_model<> alone({.seed = 1});
  auto const refused_alone = [&](mae::training_options const& of) {
    return refusal_of<mae::error>([&] { mae::trainer(alone, images, of); });
  };
  std::string const sentence =
      "to record how heads' gradients meet, or to let them not conflict, takes two heads that are "
      "on, and the network has decoder alone";
  CHECK(refused_alone({.batch_size = 60, .record_gradients = 5}) == sentence);
  CHECK(refused_alone({.batch_size = 60, .conflicts = conflict_rule::balance}) == sentence);

  auto const file = folder.file("training");
  mae::trainer saved(model, images, options_of(conflict_rule::balance));
  saved.step();
  mae::save_training(file, saved);
  mae::trainer other(model, images, options_of(conflict_rule::project));
  CHECK(refusal_of<mae::error>([&] {
          mae::load_training(file, other);
        }).find("conflicts is balance 0.9 in the file, but project here") != std::string::npos);
  auto const broken = folder.file("broken");
  auto const resumed_with = [&](char const* norm) {
    editable_file edited(file);
    if (norm == nullptr)
      edited.metadata.erase("contrast.gradient_norm");
    else
      edited.metadata["contrast.gradient_norm"] = norm;
    edited.save(broken);
    mae::trainer one(model, images, options_of(conflict_rule::balance));
    return refusal_of<mae::error>([&] { mae::load_training(broken, one); });
  };
  CHECK(resumed_with("1.5") == "nothing was thrown");
  for (char const* const wrong : {"-1", "nan", "x", "1 2"}) {
    CAPTURE(wrong);
    CHECK(resumed_with(wrong).find(broken + ": at byte 8: metadata: ") != std::string::npos);
  }
  CHECK(resumed_with(nullptr).find("contrast.gradient_norm is missing") != std::string::npos);

  options = options_of(conflict_rule::balance);
  options.record_gradients = 2;  // decides nothing
  mae::trainer same(model, images, options);
  CHECK_NOTHROW(mae::load_training(file, same));
}
