#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/normalise.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/frozen_teacher.hpp>
#include <mae/objective/teacher_tokens.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// What a frozen encoder makes of patches, as targets.

namespace {

using mae::index_t;
using mae_test::small_config;
using fp32 = mae::eigen_backend<float>;

/// Deeper and wider than its student, with statistics of its own.
constexpr mae::model_config wide_config{
    .image = small_config.image,
    .patch = small_config.patch,
    .encoder = {.depth = 3, .width = 40, .heads = 4},
    .decoder = small_config.decoder,
};
mae::pixel_statistics const teacher_statistics{.mean = {0.5, 0.4, 0.3},
                                               .deviation = {0.3, 0.2, 0.4}};

mae::encoder<wide_config> wide_encoder(std::uint64_t seed = 9) {
  mae::encoder<wide_config> made(seed, fp32(1));
  made.set_statistics(teacher_statistics);
  return made;
}

mae_test::small_dataset const& images() {
  static auto const all = mae_test::painted_images(48, 3);
  return all;
}

mae::pixel_statistics statistics() {
  mae::thread_pool threads(2);
  return mae::channel_statistics(images(), threads);
}

mae::teacher_tokens make_targets(index_t blocks, std::uint64_t seed = 9) {
  return {mae::frozen_teacher(wide_encoder(seed), blocks), statistics()};
}

using student =
    mae::autoencoder<small_config, mae::uniform_mask<mae::ratio{3, 4}>, fp32, mae::teacher_tokens>;

student make_student(int threads, index_t blocks = 2, std::uint64_t seed = 9) {
  student made({.seed = 1, .objective = make_targets(blocks, seed), .backend = fp32(threads)});
  return made;
}

mae::training_options options_of(index_t steps) {
  return {.batch_size = 16, .steps = steps, .lr = 2e-3, .warmup_epochs = 0};
}

template <class Error, class Call>
std::string refusal_of(Call const& call) {
  try {
    call();
  } catch (Error const& error) {
    return error.what();
  }
  return {};
}

std::vector<double> normalised(std::vector<double> values) {
  double mean = 0;
  double variance = 0;
  for (double const value : values) mean += value;
  mean /= static_cast<double>(values.size());
  for (double const value : values) variance += (value - mean) * (value - mean);
  variance /= static_cast<double>(values.size());
  for (double& value : values) value = (value - mean) / std::sqrt(variance + 1e-6);
  return values;
}

}  // namespace

TEST_CASE("a teacher's targets are the mean of its last blocks' tokens, each normalised") {
  auto encoder = wide_encoder();
  encoder.set_final_norm(mae::norm_place::pooled);
  constexpr index_t number = 5;
  std::vector<std::vector<std::vector<double>>> tokens(4);  // by block and patch
  encoder.encode_blocks(
      images(), {1, 3}, [&](index_t image, index_t block, mae::matrix_view<float const> of) {
        if (image != number) return;
        for (index_t patch = 0; patch < 16; ++patch)
          tokens[static_cast<std::size_t>(block)].emplace_back(of.row(patch + 1).begin(),
                                                               of.row(patch + 1).end());
      });
  std::vector<float> pixels(static_cast<std::size_t>(small_config.image.values()));
  std::vector<float> cut(pixels.size());
  images().read(number, pixels);
  mae::normalise_pixels(pixels, statistics());
  mae::patchify(pixels, small_config.image, small_config.patch, {cut.data(), 16, 48});
  std::array<mae::patch_index, 3> const rows{0, 7, 15};
  for (index_t const blocks : {1, 2, 3}) {
    CAPTURE(blocks);
    auto const objective = make_targets(blocks);
    REQUIRE(objective.target_width(small_config) == 40);
    std::vector<float> found(3 * 40);
    objective.target<float>(small_config, {cut.data(), 16, 48}, rows, {found.data(), 3, 40});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<double> mean(40, 0.0);
      for (index_t block = 4 - blocks; block <= 3; ++block) {
        auto const one =
            normalised(tokens[static_cast<std::size_t>(block)][static_cast<std::size_t>(rows[i])]);
        for (std::size_t k = 0; k < 40; ++k) mean[k] += one[k] / static_cast<double>(blocks);
      }
      mean = normalised(mean);
      double largest = 0;
      for (std::size_t k = 0; k < 40; ++k)
        largest = std::max(largest, std::abs(mean[k] - static_cast<double>(found[i * 40 + k])));
      CHECK(largest < 2e-5);  // pixels were rounded on their way to the student's input and back
    }
  }
}

TEST_CASE("a student learns what a teacher sees, the same bits for any number of threads") {
  auto model = make_student(1);
  mae::trainer training(model, images(), options_of(60));
  auto const first = training.step();
  CHECK(first.baseline == doctest::Approx(1).epsilon(1e-3));  // normalised targets
  double last = 0;
  training.run({.on_step = [&](mae::step_report const& report) { last = report.loss; }});
  CHECK(last < 0.7 * first.loss);

  auto other = make_student(3);
  mae::trainer repeated(other, images(), options_of(60));
  repeated.run();
  CHECK(mae_test::state_of(repeated) == mae_test::state_of(training));
}

TEST_CASE("a student's training is resumed to the same bits, and not with another teacher") {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("training");
  auto whole = make_student(2);
  mae::trainer expected(whole, images(), options_of(6));
  expected.run();
  auto begun = make_student(2);
  mae::trainer first(begun, images(), options_of(6));
  first.step();
  mae::save_training(file, first);
  auto resumed = make_student(2);
  mae::trainer second(resumed, images(), options_of(6));
  mae::load_training(file, second);
  second.run();
  CHECK(mae_test::state_of(second) == mae_test::state_of(expected));

  auto const refusal = [&](index_t blocks, std::uint64_t seed) {
    auto model = make_student(2, blocks, seed);
    mae::trainer training(model, images(), options_of(6));
    return refusal_of<mae::config_error>([&] { mae::load_training(file, training); });
  };
  CHECK(refusal(2, 10).find("teacher is ") != std::string::npos);
  CHECK(refusal(1, 9).find("teacher_blocks is 2 in the file, but 1 here") != std::string::npos);
}

TEST_CASE("a teacher that cannot be is refused") {
  auto const objective = make_targets(1);
  auto other = small_config;
  other.patch = {.height = 8, .width = 8};
  CHECK(refusal_of<mae::config_error>([&] { static_cast<void>(objective.target_width(other)); }) ==
        "the teacher's images are of 16x16x3 in patches of 4x4, the model's of 16x16x3 in patches "
        "of 8x8: both must see the same patches");
  CHECK(refusal_of<mae::config_error>([] { mae::frozen_teacher(wide_encoder(), 4); }) ==
        "the mean of the last 4 blocks of a teacher that has 3");
  CHECK(!refusal_of<mae::config_error>([] { mae::frozen_teacher(wide_encoder(), 0); }).empty());
  CHECK(!refusal_of<mae::config_error>([] { mae::teacher_tokens({}, {}); }).empty());

  student model(
      {.objective = {mae::frozen_teacher(wide_encoder()), teacher_statistics}, .backend = fp32(1)});
  CHECK(refusal_of<mae::config_error>([&] {
          mae::trainer(model, images(), options_of(6));
        }).starts_with("the model's pixel statistics are not those that its teacher was told of"));
  CHECK(model.statistics().mean.empty());
}

TEST_CASE("a teacher's identity is of all that its tokens depend on") {
  auto const identity = mae::identity_of<fp32>(wide_encoder());
  CHECK(mae::identity_of<fp32>(wide_encoder()) == identity);
  CHECK(mae::identity_of<fp32>(wide_encoder(10)) != identity);
  auto other = wide_encoder();
  other.set_statistics({.mean = {0.5, 0.4, 0.3}, .deviation = {0.3, 0.2, 0.5}});
  CHECK(mae::identity_of<fp32>(other) != identity);
  auto loose = wide_encoder();
  loose.set_norm_epsilon(1e-5);
  CHECK(mae::identity_of<fp32>(loose) != identity);
}
