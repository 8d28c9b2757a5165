#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_dataset;

template <class Operand>
using model_of = mae::autoencoder<mae_test::small_config,
                                  mae::uniform_mask<mae::ratio{3, 4}>,
                                  mae::eigen_backend<Operand>>;

constexpr mae::training_options few_steps{
    .seed = 9, .batch_size = 40, .steps = 10, .lr = 3e-3, .warmup_epochs = 0.2};

struct outcome {
  std::vector<double> losses;
  double heldout = 0;
  mae_test::training_state state;
};

template <class Operand>
outcome train(int threads) {
  small_dataset const images = mae_test::painted_images(400, 1);
  model_of<Operand> model({.seed = 5, .backend = mae::eigen_backend<Operand>(threads)});
  mae::trainer trainer(model, images, few_steps);
  outcome result;
  trainer.run({.on_step = [&](mae::step_report const& r) { result.losses.push_back(r.loss); }});
  result.heldout = mae::evaluate_heldout(model, images, 100).loss;
  result.state = mae_test::state_of(trainer);
  return result;
}

}  // namespace

TEST_CASE("R3: ten steps of mixed precision have float's losses within 2%") {
  outcome const exact = train<float>(2);
  outcome const mixed = train<mae::bfloat16>(2);
  REQUIRE(exact.losses.size() == 10);
  REQUIRE(mixed.losses.size() == 10);
  for (std::size_t step = 0; step < 10; ++step) {
    CAPTURE(step);
    CHECK(mixed.losses[step] == doctest::Approx(exact.losses[step]).epsilon(0.02));
    CHECK(mixed.losses[step] != exact.losses[step]);  // bfloat16 was indeed multiplied
  }
  CHECK(mixed.heldout == doctest::Approx(exact.heldout).epsilon(0.02));
}

TEST_CASE("mixed precision trains to the same bits on any number of threads") {
  outcome const expected = train<mae::bfloat16>(1);
  for (int const threads : {2, 3, 8}) {
    outcome const result = train<mae::bfloat16>(threads);
    CHECK(result.losses == expected.losses);
    CHECK(result.heldout == expected.heldout);
    CHECK(result.state == expected.state);
  }
}

TEST_CASE("an encoder of mixed precision gives float's tokens to three digits") {
  mae::encoder<mae_test::small_config, mae::eigen_backend<float>> const exact(3);
  mae::encoder<mae_test::small_config, mae::eigen_backend<mae::bfloat16>> const mixed(3);
  small_dataset const images = mae_test::painted_images(5, 2);
  auto const a = exact.features(images, mae::pooling::both);
  auto const b = mixed.features(images, mae::pooling::both);
  REQUIRE(a.size() == b.size());
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(a[i]), 2);
  }
  CHECK(difference > 0);
  CHECK(std::sqrt(difference / norm) <= 5e-3);
}
