#include "allocation_count.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/head/perceptual.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/perceptual_encoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/lion.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/optimizer/with_average.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <new>
#include <optional>
#include <utility>

namespace {

auto const counted_only = doctest::skip(!mae_test::counts_allocations);

/// Trains for one step, then counts what those of eight epochs allocate, crops included.
template <class Model, mae::UpdateRule Rule = mae::adamw>
void check_warm_steps_of(typename Model::parts parts,
                         Rule const& rule = {},
                         mae::index_t accumulate = 2) {
  auto const images = mae_test::painted_images(240, 1);
  Model model(std::move(parts));
  mae::trainer trainer(model,
                       images,
                       {.batch_size = 120 / accumulate,
                        .accumulate = accumulate,
                        .epochs = 8,
                        .lr = 1e-3,
                        .clip = 1},
                       rule);
  trainer.step();
  std::int64_t const before = mae_test::allocation_count;
  CHECK(before > 0);  // the count works
  while (!trainer.is_done()) trainer.step();
  CHECK(mae_test::allocation_count == before);
}

template <class Operand, mae::MaskPolicy Mask, mae::UpdateRule Rule = mae::adamw>
void check_warm_steps(Mask const& mask,
                      int threads,
                      Rule const& rule = {},
                      mae::index_t accumulate = 2) {
  using backend = mae::eigen_backend<Operand>;
  check_warm_steps_of<mae::autoencoder<mae_test::small_config, Mask, backend>>(
      {.seed = 5, .mask = mask, .backend = backend(threads)}, rule, accumulate);
}

struct outcome {
  bool struck = false;  // there were so many allocations
  bool threw = false;   // std::bad_alloc
};

/// Runs `action` while its nth allocation fails, on whatever thread.
template <class Action>
outcome with_failing_allocation(std::int64_t nth, Action const& action) {
  outcome result;
  std::int64_t const doomed = mae_test::allocation_count + nth;
  mae_test::doomed_allocation = doomed;
  try {
    action();
  } catch (std::bad_alloc const&) {
    result.threw = true;
  }
  mae_test::doomed_allocation = 0;
  result.struck = mae_test::allocation_count >= doomed;
  return result;
}

template <class Operand>
using model_of =
    mae::autoencoder<mae_test::small_config, mae::random_ratio_mask, mae::eigen_backend<Operand>>;

template <class Operand>
auto parts_on(int threads) {
  return
      typename model_of<Operand>::parts{.seed = 5,
                                        .mask = mae::random_ratio_mask({.low = 0.1, .high = 0.9}),
                                        .backend = mae::eigen_backend<Operand>(threads)};
}

constexpr mae::training_options few_steps{
    .batch_size = 8, .accumulate = 2, .epochs = 2, .lr = 1e-3, .warmup_epochs = 0, .clip = 1};

}  // namespace

TEST_CASE_TEMPLATE("each allocation of a model that fails is a bad_alloc, and nothing is leaked" *
                       counted_only,
                   Operand,
                   float,
                   mae::bfloat16) {
  auto const make = [] { model_of<Operand> const model(parts_on<Operand>(3)); };
  make();  // what is made once, by whomever
  std::int64_t nth = 1;
  for (;; ++nth) {
    CAPTURE(nth);
    std::int64_t const before = mae_test::live_allocations;
    auto const result = with_failing_allocation(nth, make);
    REQUIRE(mae_test::live_allocations == before);
    REQUIRE(result.threw == result.struck);
    if (!result.struck) break;
  }
  CHECK(nth > 20);
}

TEST_CASE_TEMPLATE(
    "whichever allocation of a first step fails, the model is as it was, and trains" * counted_only,
    Operand,
    float,
    mae::bfloat16) {
  auto const images = mae_test::painted_images(32, 1);
  using trainer_type = mae::trainer<model_of<Operand>, mae_test::small_dataset>;
  auto const expected = [&] {
    model_of<Operand> model(parts_on<Operand>(3));
    trainer_type trainer(model, images, few_steps);
    trainer.step();
    return mae_test::state_of(trainer);
  }();
  std::int64_t nth = 1;
  for (;; ++nth) {
    CAPTURE(nth);
    model_of<Operand> model(parts_on<Operand>(3));
    auto const untrained = mae_test::bits_of(model.parameters().values());
    std::optional<trainer_type> trainer;
    std::int64_t const before = mae_test::live_allocations;
    auto const result = with_failing_allocation(nth, [&] {
      trainer.emplace(model, images, few_steps);
      trainer->step();
    });
    REQUIRE(result.threw == result.struck);
    if (!result.struck) break;
    REQUIRE(mae_test::bits_of(model.parameters().values()) == untrained);
    if (!trainer) {
      // But for the statistics, which the model may have got already.
      REQUIRE(mae_test::live_allocations - before <= 2);
      trainer.emplace(model, images, few_steps);
    }
    trainer->step();
    REQUIRE(mae_test::state_of(*trainer) == expected);
  }
  CHECK(nth > 50);
}

TEST_CASE_TEMPLATE("a warm step allocates nothing" * counted_only, Operand, float, mae::bfloat16) {
  check_warm_steps<Operand>(mae::uniform_mask<mae::ratio{3, 4}>{}, 1);
  check_warm_steps<Operand>(mae::uniform_mask<mae::ratio{3, 4}>{}, 3);
}

TEST_CASE("a warm step allocates nothing, whatever the update rule" * counted_only) {
  mae::uniform_mask<mae::ratio{3, 4}> const mask;
  check_warm_steps<float>(mask, 3, mae::lion{});
  check_warm_steps<float>(mask, 3, mae::sgd{});
  check_warm_steps<float>(mask, 3, mae::with_average(mae::adamw{}));
}

TEST_CASE_TEMPLATE("a warm step allocates nothing, however ragged its masks are" * counted_only,
                   Operand,
                   float,
                   mae::bfloat16) {
  check_warm_steps<Operand>(mae::random_ratio_mask({.low = 0.1, .high = 0.95}), 1);
  check_warm_steps<Operand>(mae::random_ratio_mask({.low = 0.1, .high = 0.95}), 3);
  // partial sums share memory
  check_warm_steps<Operand>(mae::random_ratio_mask({.low = 0.1, .high = 0.95}), 2, {}, 1);
}

TEST_CASE(
    "a warm step that predicts visible patches too, or by cross-attention, allocates nothing" *
    counted_only) {
  mae::random_ratio_mask const mask({.low = 0.1, .high = 0.95});
  mae::eigen_backend<float> const one(1);
  check_warm_steps_of<model_of<float>>(
      {.seed = 5, .mask = mask, .backend = one, .visible_weight = 0.3});
  using crossing = mae::
      cross_autoencoder<mae_test::small_config, mae::random_ratio_mask, mae::eigen_backend<float>>;
  check_warm_steps_of<crossing>({.seed = 5, .mask = mask, .backend = one});
}

TEST_CASE("a warm step at a perceptual distance allocates nothing" * counted_only) {
  using backend = mae::eigen_backend<float>;
  backend const two(2);
  mae::thread_pool threads(1);
  auto const seen = mae::channel_statistics(mae_test::painted_images(240, 1), threads);
  mae::encoder<mae_test::small_config> const encoder(9, backend(1));
  using perceiving = mae::autoencoder<mae_test::small_config,
                                      mae::random_ratio_mask,
                                      backend,
                                      mae::pixels,
                                      mae::perceptual<backend>>;
  check_warm_steps_of<perceiving>({.seed = 5,
                                   .mask = mae::random_ratio_mask({.low = 0.1, .high = 0.95}),
                                   .backend = two,
                                   .heads = {{mae::frozen_blocks_of(encoder, seen, two)}}});
}

TEST_CASE("a warm step whose tokens are told levels of density allocates nothing" * counted_only) {
  check_warm_steps_of<model_of<float>>(
      {.seed = 5,
       .mask = mae::random_ratio_mask({.low = 0.1, .high = 0.95}),
       .backend = mae::eigen_backend<float>(1),
       .levels = {.bounds = {-6, -3}, .told = mae::told_tokens::both}});
}
