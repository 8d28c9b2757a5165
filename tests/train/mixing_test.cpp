#include "labelled_images.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/mask/none.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/mixable.hpp>
#include <mae/train/mixing.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_config;

mae::random_stream stream(std::uint64_t index) {
  return mae::random_stream({.seed = 11, .use = mae::purpose::mix, .index = index});
}

/// The share of draws of Beta(a, a) up to each of 0.1, 0.2, ..., 0.9.
std::array<double, 9> distribution(double a) {
  constexpr int draws = 40'000;
  std::array<double, 9> below{};
  for (std::uint64_t i = 0; i < draws; ++i) {
    auto random = stream(i);
    double const drawn = mae::random_beta(a, random);
    REQUIRE(drawn >= 0);
    REQUIRE(drawn <= 1);
    for (std::size_t k = 0; k < below.size(); ++k)
      below[k] += drawn <= 0.1 * static_cast<double>(k + 1) ? 1.0 / draws : 0.0;
  }
  return below;
}

using classifying =
    mae::headed_encoder<small_config, mae::no_mask, mae::eigen_backend<float>, mae::classifier>;

classifying a_model(int threads) {
  return classifying({.heads = {mae::classifier{.classes = 4, .smoothing = 0.1}},
                      .seed = 5,
                      .backend = mae::eigen_backend<float>(threads)});
}

mae_test::labelled_images const& labelled() {
  static mae_test::labelled_images const images(60);
  return images;
}

using loader_type =
    mae::batch_loader<mae_test::labelled_images,
                      mae::no_mask,
                      classifying::parts_type,
                      std::remove_cvref_t<decltype(std::declval<classifying&>().label_makers())>,
                      float>;

/// A batch as a loader makes it for images as they are, neither varied nor normalised.
loader_type::batch_type load(mae::batch_options const& options,
                             mae::batch_images const& numbers,
                             index_t epoch = 0) {
  static auto const model = a_model(1);
  mae::thread_pool threads(2);
  loader_type loader(labelled(),
                     model.mask(),
                     model.sizes(),
                     model.label_makers(),
                     {.mean = {0, 0, 0}, .deviation = {1, 1, 1}},
                     options,
                     threads);
  loader_type::batch_type batch;
  loader.load(numbers, {.epoch = epoch}, batch);
  return batch;
}

std::vector<float> pixels_of(loader_type::batch_type const& batch, index_t image) {
  auto const patches = batch.patches_of(image, image + 1);
  return {patches.data, patches.data + patches.size()};
}
std::vector<float> label_of(loader_type::batch_type const& batch, index_t image) {
  auto const row = batch.labels[0].of(image, image + 1).row(0);
  return {row.begin(), row.end()};
}

std::vector<mae::image_index> const numbers{1, 2, 3, 4, 6, 7, 8};  // all with classes

}  // namespace

TEST_CASE("shares have a Beta distribution") {
  auto const uniform = distribution(1);
  auto const parabola = distribution(2);  // 3 x^2 - 2 x^3
  auto const arcsine = distribution(0.5);
  for (std::size_t k = 0; k < uniform.size(); ++k) {
    double const x = 0.1 * static_cast<double>(k + 1);
    CHECK(std::abs(uniform[k] - x) < 0.0125);  // five standard errors
    CHECK(std::abs(parabola[k] - x * x * (3 - 2 * x)) < 0.0125);
    CHECK(std::abs(arcsine[k] - 2 / M_PI * std::asin(std::sqrt(x))) < 0.0125);
  }
}

TEST_CASE("of a parameter so small that nothing else is left, one image is all") {
  int ones = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    auto random = stream(i);
    double const drawn = mae::random_beta(1e-9, random);
    REQUIRE((drawn == 0 || drawn == 1));
    ones += drawn == 1 ? 1 : 0;
  }
  CHECK(std::abs(ones - 500) < 80);
}

TEST_CASE("cutmix keeps timm's share of an image, that of the box's real area") {
  constexpr int draws = 20'000;
  for (mae::image_extent const image : {mae::image_extent{32, 32, 3}, {20, 40, 3}}) {
    double sum = 0;
    double squares = 0;
    for (std::uint64_t i = 0; i < draws; ++i) {
      auto const how = mae::random_mixture({.cutmix = 1}, image, stream(i));
      REQUIRE(how.box.top >= 0);
      REQUIRE(how.box.left >= 0);
      REQUIRE(how.box.top + how.box.height <= image.height);
      REQUIRE(how.box.left + how.box.width <= image.width);
      REQUIRE(how.own == 1 - static_cast<double>(how.box.height * how.box.width) /
                                 static_cast<double>(image.pixels()));
      sum += how.own / draws;
      squares += how.own * how.own / draws;
    }
    // Of recipe_figures.py, which has 0.6906 and 0.6913, 0.1858 and 0.1856.
    CHECK(std::abs(sum - 0.691) < 0.006);
    CHECK(std::abs(std::sqrt(squares - sum * sum) - 0.1857) < 0.005);
  }
}

TEST_CASE("where both are on, half of the batches are blended") {
  int blended = 0;
  for (std::uint64_t i = 0; i < 2000; ++i)
    blended +=
        mae::random_mixture({.mixup = 0.8, .cutmix = 1}, {32, 32, 3}, stream(i)).box.height == 0;
  // Some boxes are empty too: their centre lies so, or they are too small.
  CHECK(std::abs(blended - 1000) < 5 * 23);
}

TEST_CASE("a box is pasted, or all is blended; nothing outside changes") {
  constexpr mae::image_extent image{.height = 3, .width = 4, .channels = 2};
  std::vector<float> own(24), partner(24);
  for (std::size_t i = 0; i < own.size(); ++i) {
    own[i] = static_cast<float>(i);
    partner[i] = 100.0F + static_cast<float>(i);
  }
  auto cut = own;
  mae::mix_images({.own = 0.75, .box = {1, 2, 2, 1}}, image, partner, cut);
  for (std::size_t i = 0; i < own.size(); ++i) {
    bool const inside = i / 2 == 6 || i / 2 == 10;  // rows 1 and 2 of column 2
    CHECK(cut[i] == (inside ? partner[i] : own[i]));
  }
  auto blend = own;
  mae::mix_images({.own = 0.75}, image, partner, blend);
  for (std::size_t i = 0; i < own.size(); ++i)
    CHECK(blend[i] == 0.75F * own[i] + 0.25F * partner[i]);
}

TEST_CASE("the first of a batch is mixed with the last, and their labels with them") {
  auto const plain = load({.seed = 3}, numbers);
  auto const mixed = load({.seed = 3, .mix = {.mixup = 0.8}}, numbers);
  float const share = label_of(mixed, 0)[2];  // of the partner
  CHECK(share > 0);
  CHECK(share < 1);
  for (index_t i = 0; i < 7; ++i) {
    auto const own = pixels_of(plain, i);
    auto const partner = pixels_of(plain, 6 - i);
    auto const found = pixels_of(mixed, i);
    for (std::size_t at = 0; at < own.size(); ++at)
      REQUIRE(found[at] ==
              doctest::Approx((1 - share) * own[at] + share * partner[at]).epsilon(1e-6));
    CHECK(label_of(mixed, i) ==
          std::vector{label_of(plain, i)[0], label_of(plain, 6 - i)[0], share});
    CHECK(label_of(plain, i)[2] == 0);
  }
  CHECK(label_of(load({.seed = 3, .mix = {.mixup = 0.8}}, numbers, 1), 0)[2] != share);
  CHECK(label_of(load({.seed = 4, .mix = {.mixup = 0.8}}, numbers), 0)[2] != share);
}

TEST_CASE("a mixture with an image without a class is not learnt from") {
  std::vector<mae::image_index> const some{1, 2, 5};
  auto const mixed = load({.seed = 3, .mix = {.mixup = 0.8}}, some);
  CHECK(mixed.labels[0].counted == 1);
  CHECK(label_of(mixed, 0)[0] == -1);
  CHECK(label_of(mixed, 1)[0] >= 0);
  CHECK(label_of(mixed, 2)[0] == -1);
}

TEST_CASE("processes that load parts of a batch see what one sees that loads all") {
  for (mae::mixing const mix : {mae::mixing{.mixup = 0.8}, {.cutmix = 1}}) {
    mae::batch_options const options{.seed = 3,
                                     .augment = mae::augmentation{},
                                     .changes = {.magnitude = 9},
                                     .erasing = 0.5,
                                     .mix = mix,
                                     .drop_path = 0.5};
    auto const whole = load(options, numbers);
    auto const part = load(options, {numbers, 4, 7});
    REQUIRE(part.images() == 3);
    for (index_t i = 0; i < 3; ++i) {
      CHECK(pixels_of(part, i) == pixels_of(whole, 4 + i));
      CHECK(label_of(part, i) == label_of(whole, 4 + i));
      CHECK(part.branch_scales_of(i, i + 1)(0, 2) == whole.branch_scales_of(4 + i, 5 + i)(0, 2));
    }
  }
}

TEST_CASE("trainings of mixed and erased images leave the same bits with any number of threads") {
  auto const train = [](int threads, mae::mixing const& mix, double erasing) {
    auto model = a_model(threads);
    mae::trainer trainer(model,
                         labelled(),
                         {.batch_size = 15,
                          .accumulate = 2,
                          .steps = 4,
                          .lr = 1e-3,
                          .changes = {.magnitude = erasing > 0 ? 9.0 : 0.0},
                          .erasing = erasing,
                          .mix = mix});
    trainer.run();
    return mae_test::state_of(trainer);
  };
  constexpr mae::mixing both{.mixup = 0.8, .cutmix = 1};
  auto const one = train(1, both, 0.25);
  CHECK(train(2, both, 0.25) == one);
  CHECK(train(3, both, 0.25) == one);
  CHECK_FALSE(train(1, {}, 0.25) == one);
  CHECK_FALSE(train(1, both, 0) == one);
}

TEST_CASE("a head whose labels cannot follow makes mixing or RandAugment an error") {
  using model_type = mae_test::three_heads<mae::eigen_backend<float>>;
  model_type model(mae_test::three_heads_parts(mae::eigen_backend<float>(1)));
  std::string said;
  try {
    mae::trainer const trainer(model, labelled(), {.batch_size = 10, .mix = {.cutmix = 1}});
  } catch (mae::config_error const& error) {
    said = error.what();
  }
  CHECK(said == "the head decoder cannot learn from mixed images: leave mixup and cutmix out");
  CHECK(model.statistics().mean.empty());
  mae::network_parts<mae::segmenter> const places{small_config};
  CHECK_NOTHROW(mae::require_mixable({}, places));
  CHECK_THROWS_WITH_AS(mae::require_mixable({.changes = {.magnitude = 9}}, places),
                       "the labels of the head segmenter do not follow what RandAugment moves: "
                       "leave it out",
                       mae::config_error);
  CHECK_THROWS_AS(mae::require_mixable({.mix = {.mixup = 1}}, places), mae::config_error);
  CHECK_THROWS_AS(require_valid(mae::mixing{.mixup = -1}), mae::config_error);
  CHECK_THROWS_AS(require_valid(mae::mixing{.cutmix = NAN}), mae::config_error);
}
