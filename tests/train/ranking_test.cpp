#include "../eval/ranking_reference.hpp"
#include "descent.hpp"
#include "labelled_images.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/head_outputs.hpp>
#include <mae/eval/ranking_metrics.hpp>
#include <mae/head/ranking.hpp>
#include <mae/head/ranking_loss.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/network/head.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;

static_assert(mae::HeadOn<mae::ranking, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<mae::ranking, mae::eigen_lane<mae::bfloat16>>);

/// Grades from 0 to 3 of two queries, and of every fifth image nothing.
std::shared_ptr<mae::relevance_judgements const> judged(labelled_images const& images) {
  auto const made = std::make_shared<mae::relevance_judgements>();
  for (index_t i = 0; i < images.size(); ++i) {
    auto const label = images.label(i);
    made->relevance.push_back(label < 0 ? std::numeric_limits<double>::quiet_NaN()
                                        : static_cast<double>(label));
    made->query.push_back(i % 2);
  }
  return made;
}

template <class B>
auto ranker(B backend,
            std::shared_ptr<mae::relevance_judgements const> of,
            mae::random_ratio_mask const& mask) {
  return mae::headed_encoder<small_config, mae::random_ratio_mask, B, mae::ranking>(
      {.heads = {mae::ranking{.judgements = std::move(of)}},
       .seed = 5,
       .mask = mask,
       .backend = std::move(backend)});
}
mae::random_ratio_mask const ragged({.low = 0.3, .high = 0.9});

template <class Call>
std::string refusal_of(Call const& call) {
  try {
    call();
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("the pairwise logistic loss and its gradient are PyTorch's") {
  namespace reference = ranking_reference;
  std::vector<mae::detail::ranked_sample> samples;
  for (std::size_t i = 0; i < reference::scores.size(); ++i)
    samples.push_back({3 * reference::scores[i],
                       reference::grades[i],
                       static_cast<index_t>(reference::queries[i])});
  std::vector<double> gradient(samples.size(), 1);
  CHECK(mae::detail::pairwise_logistic(samples, gradient) ==
        doctest::Approx(reference::pairwise_loss).epsilon(1e-13));
  for (std::size_t i = 0; i < gradient.size(); ++i)
    CHECK(gradient[i] == doctest::Approx(reference::pairwise_gradient[i]).epsilon(1e-11));
  samples = {{-900, 1, 0}, {900, 0, 0}};  // as wrong as can be, and finite
  gradient.assign(2, 0);
  CHECK(mae::detail::pairwise_logistic(samples, gradient) == doctest::Approx(1800));
  CHECK(gradient == std::vector<double>{-1, 1});
  samples = {{1, 1, 0}, {2, 0, 1}, {3, 1, 0}};  // no pair
  gradient.assign(3, 7);
  CHECK(mae::detail::pairwise_logistic(samples, gradient) == 0);
  CHECK(gradient == std::vector<double>{0, 0, 0});
}

TEST_CASE("a ranking's gradient is that of the reported loss, over batches and of views") {
  labelled_images const images(60);
  auto model = ranker(mae::eigen_backend<double>(2), judged(images), ragged);
  mae_test::check_gradient(model, images, 15, 2);
  mae_test::check_gradient(model, images, 20, 1, 2);
}

TEST_CASE("a ranking gives the same bits for any number of threads") {
  labelled_images const images(60);
  auto const train_on = [&](int threads) {
    auto model = ranker(mae::eigen_backend<float>(threads), judged(images), ragged);
    mae::trainer trainer(
        model, images, {.batch_size = 60, .steps = 2, .lr = 1e-3, .warmup_epochs = 0});
    trainer.run();
    return mae_test::state_of(trainer);
  };
  CHECK(train_on(3) == train_on(1));
}

TEST_CASE("a ranking learns an order, which its scores then have") {
  labelled_images const images(48, 1000);
  auto const judgements = judged(images);
  mae::random_ratio_mask const few({.low = 0.05, .high = 0.1});
  auto model = ranker(mae::eigen_backend<float>(2), judgements, few);
  auto const ndcg = [&] {
    std::vector<double> scores(48);
    mae::for_each_output<0>(model, images, [&](index_t first, index_t count, auto const& values) {
      for (index_t i = 0; i < count; ++i)
        scores[static_cast<std::size_t>(first + i)] = static_cast<double>(values(i, 0));
    });
    mae::ranking_grades grades;
    for (index_t query = 0; query < 2; ++query) {
      std::vector<double> relevance, of_query;
      for (auto i = static_cast<std::size_t>(query); i < scores.size(); i += 2)
        if (!std::isnan(judgements->relevance[i])) {
          relevance.push_back(judgements->relevance[i]);
          of_query.push_back(scores[i]);
        }
      grades.add(relevance, of_query);
    }
    return grades.mean_ndcg();
  };
  mae::trainer trainer(model,
                       images,
                       {.batch_size = 48,
                        .steps = 120,
                        .lr = 3e-3,
                        .warmup_epochs = 0,
                        .augment = {.crop_min = 1, .flip = false}});
  double const first = trainer.step().loss;
  CHECK(first == doctest::Approx(std::log(2.0)).epsilon(0.4));
  double const before = ndcg();
  double last = first;
  trainer.run({.on_step = [&](mae::step_report const& report) { last = report.loss; }});
  CHECK(last < 0.3 * first);
  CHECK(ndcg() > before);
  CHECK(ndcg() > 0.97);
}

TEST_CASE("a ranking that cannot be is refused") {
  labelled_images const images(60);
  auto const step = [&](std::shared_ptr<mae::relevance_judgements const> of) {
    return refusal_of([&] {
      auto model = ranker(mae::eigen_backend<float>(1), std::move(of), ragged);
      mae::trainer(model, images, {.batch_size = 20, .steps = 1, .warmup_epochs = 0}).step();
    });
  };
  CHECK(step(nullptr) == "a ranking is trained by judgements: give ranking::judgements");
  auto const with = [&](mae::relevance_judgements const& of) {
    return step(std::make_shared<mae::relevance_judgements>(of));
  };
  CHECK(with({}).starts_with("a ranking needs judgements"));
  CHECK(with({.relevance = {1, 2}, .query = {1}}) ==
        "a ranking has judgements of 2 images and queries of 1");
  for (std::size_t const count : {2U, 59U, 61U}) {  // of a part, or of the whole of this dataset
    mae::relevance_judgements of{.relevance = std::vector<double>(count)};
    of.relevance[0] = 1;
    CHECK(with(of).starts_with("a ranking has judgements of " + std::to_string(count) +
                               " images, and the dataset has 60: "));
  }
  double const nan = std::numeric_limits<double>::quiet_NaN();
  for (auto const& of : {mae::relevance_judgements{.relevance = {2, 2, nan}},
                         mae::relevance_judgements{.relevance = {nan, nan}},
                         mae::relevance_judgements{.relevance = {1, 2, 3}, .query = {7, 8, 9}}})
    CHECK(with(of).starts_with("no query of a ranking's judgements has two images of different"));
  CHECK_NOTHROW(
      mae::relevance_judgements{.relevance = {1, 5, 2}, .query = {7, 8, 7}}.require_valid());
  double const infinity = std::numeric_limits<double>::infinity();
  CHECK(with({.relevance = {1, infinity}}).starts_with("the relevance of an image must be finite"));
  CHECK(step(judged(images)).empty());
  CHECK(refusal_of([&] {
          auto model = ranker(mae::eigen_backend<float>(1), judged(images), ragged);
          mae::trainer(model,
                       images,
                       {.batch_size = 20, .steps = 1, .warmup_epochs = 0, .mix = {.mixup = 0.8}});
        }) == "the head ranking cannot learn from mixed images: leave mixup and cutmix out");
}
