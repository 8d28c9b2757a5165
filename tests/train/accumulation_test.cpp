#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/network/layout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_dataset;

/// Without memory of the past AdamW's first moments are the mean gradient, clipped; its epsilon is
/// so large that a gradient near 0 is not magnified to a whole step.
constexpr mae::training_options one_step{
    .seed = 4, .batch_size = 32, .steps = 2, .lr = 0.1, .warmup_epochs = 0};
constexpr mae::adamw forgetful{.weight_decay = 0, .beta1 = 0, .beta2 = 0, .epsilon = 1e-2};

struct stepped {
  std::vector<float> before;    // parameters
  std::vector<float> values;    // parameters after the step
  std::vector<float> gradient;  // as the optimizer took it
  mae::parameter_layout layout;
  mae::step_report report;
};

template <mae::MaskPolicy Mask>
stepped step_once(Mask const& mask,
                  mae::training_options const& options,
                  mae::adamw const& rule = forgetful) {
  static small_dataset const images = mae_test::painted_images(64, 1);
  mae_test::small_model<Mask> model(
      {.seed = 5, .mask = mask, .backend = mae::eigen_backend<float>(2)});
  mae::trainer trainer(model, images, options, rule);
  stepped result;
  result.layout = model.layout();
  auto const copy = [](std::span<float const> from) {
    return std::vector<float>(from.begin(), from.end());
  };
  result.before = copy(model.parameters().values());
  result.report = trainer.step();
  result.values = copy(model.parameters().values());
  result.gradient = copy(trainer.optimizer().state("first_moment"));
  return result;
}

stepped step_once(mae::training_options const& options, mae::adamw const& rule = forgetful) {
  return step_once(mae::uniform_mask<mae::ratio{3, 4}>{}, options, rule);
}

double norm_of(std::span<float const> values) {
  double squares = 0;
  for (float const value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

double relative_distance(std::span<float const> values, std::span<float const> expected) {
  std::vector<float> difference(values.begin(), values.end());
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= expected[i];
  return norm_of(difference) / norm_of(expected);
}

template <mae::MaskPolicy Mask>
void check_accumulation(Mask const& mask) {
  auto const whole = step_once(mask, one_step);
  for (index_t const parts : {2, 4, 32}) {
    CAPTURE(parts);
    auto options = one_step;
    options.batch_size = 32 / parts;
    options.accumulate = parts;
    auto const pieces = step_once(mask, options);
    CHECK(pieces.report.images == 32);
    CHECK(pieces.report.loss == doctest::Approx(whole.report.loss).epsilon(1e-6));
    CHECK(pieces.report.baseline == doctest::Approx(whole.report.baseline).epsilon(1e-12));
    CHECK(pieces.report.gradient_norm == doctest::Approx(whole.report.gradient_norm).epsilon(1e-6));
    CHECK(relative_distance(pieces.gradient, whole.gradient) < 2e-6);
    CHECK(relative_distance(pieces.values, whole.values) < 1e-6);
  }
}

}  // namespace

TEST_CASE("accumulated batches equal one large batch, with equal counts of targets and without") {
  check_accumulation(mae::uniform_mask<mae::ratio{3, 4}>{});
  check_accumulation(mae::random_ratio_mask({.low = 0.1, .high = 0.9}));
}

TEST_CASE("the gradient is clipped to a global norm, which is reported as it was before") {
  auto const free = step_once(one_step);
  double const norm = norm_of(free.gradient);
  CHECK(free.report.gradient_norm == doctest::Approx(norm).epsilon(1e-6));

  auto options = one_step;
  options.clip = norm / 4;
  auto const clipped = step_once(options);
  CHECK(clipped.report.gradient_norm == free.report.gradient_norm);
  CHECK(clipped.report.loss == free.report.loss);
  CHECK(norm_of(clipped.gradient) == doctest::Approx(norm / 4).epsilon(1e-5));
  for (std::size_t i = 0; i < free.values.size(); ++i) {
    double const gradient = free.gradient[i] / 4.0;
    double const expected =
        free.before[i] - one_step.lr * gradient / (std::abs(gradient) + forgetful.epsilon);
    REQUIRE(std::abs(clipped.values[i] - expected) < 1e-6);
  }

  options.clip = norm * 4;
  CHECK(step_once(options).values == free.values);
}

TEST_CASE("weight decay is decoupled, of matrices and tokens alone; positions never change") {
  auto const plain = step_once(one_step);
  auto rule = forgetful;
  rule.weight_decay = 0.5;
  auto const decayed = step_once(one_step, rule);
  for (auto const& tensor : plain.layout.tensors()) {
    CAPTURE(tensor.name);
    bool const decays = tensor.shape.size() > 1 && tensor.kind == mae::tensor_kind::parameter;
    CHECK(tensor.decays == decays);
    for (auto i = static_cast<std::size_t>(tensor.offset);
         i < static_cast<std::size_t>(tensor.offset + tensor.size());
         ++i) {
      double const lost = plain.values[i] - decayed.values[i];
      if (decays) REQUIRE(std::abs(lost - 0.1 * 0.5 * plain.before[i]) < 1e-6);
      if (!decays) REQUIRE(plain.values[i] == decayed.values[i]);
      if (tensor.kind == mae::tensor_kind::buffer) REQUIRE(plain.values[i] == plain.before[i]);
    }
  }
}
