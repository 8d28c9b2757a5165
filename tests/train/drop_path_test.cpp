#include "labelled_images.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/train/drop_path_scales.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace {

using mae::index_t;

std::vector<float> scales_of(std::uint64_t image, double rate, std::size_t branches) {
  std::vector<float> scales(branches, -1.0F);
  mae::drop_path_scales({.seed = 4, .use = mae::purpose::drop_path, .index = image}, rate, scales);
  return scales;
}

constexpr mae::training_options dropping{
    .batch_size = 75, .accumulate = 2, .steps = 6, .lr = 1e-3, .drop_path = 0.5};

template <class B>
mae_test::training_state train(B backend, mae::training_options const& options = dropping) {
  static mae_test::labelled_images const images(300);
  mae_test::three_heads<B> model(mae_test::three_heads_parts(std::move(backend)));
  mae::trainer trainer(model, images, options);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("the share of dropped paths rises from 0 to the rate, and their mean stays") {
  constexpr std::size_t depth = 4;
  constexpr int images = 20'000;
  std::array<int, 2 * depth> dropped{};
  int both = 0;  // of the last block
  for (std::uint64_t image = 0; image < images; ++image) {
    auto const scales = scales_of(image, 0.3, 2 * depth);
    for (std::size_t i = 0; i < scales.size(); ++i) {
      double const rate = 0.3 * static_cast<double>(i / 2) / 3.0;
      if (scales[i] == 0.0F)
        ++dropped[i];
      else
        REQUIRE(scales[i] == static_cast<float>(1.0 / (1.0 - rate)));
    }
    both += scales[6] == 0.0F && scales[7] == 0.0F ? 1 : 0;
  }
  CHECK(dropped[0] == 0);
  CHECK(dropped[1] == 0);
  // Five standard deviations of a binomial distribution, or more.
  for (std::size_t i = 2; i < 2 * depth; ++i)
    CHECK(std::abs(dropped[i] - images * (static_cast<int>(i) / 2) / 10) < 330);
  CHECK(std::abs(both - images * 9 / 100) < 210);
}

TEST_CASE("an encoder of one block drops nothing; the same key draws the same") {
  CHECK(scales_of(1, 0.9, 2) == std::vector<float>{1.0F, 1.0F});
  CHECK(scales_of(5, 0.5, 12) == scales_of(5, 0.5, 12));
  CHECK(scales_of(5, 0.5, 12) != scales_of(6, 0.5, 12));
}

TEST_CASE("trainings that drop paths leave the same bits with any number of threads") {
  auto const one = train(mae::eigen_backend<float>(1));
  CHECK(train(mae::eigen_backend<float>(2)) == one);
  CHECK(train(mae::eigen_backend<float>(3)) == one);
  auto whole = dropping;
  whole.drop_path = 0;
  CHECK_FALSE(train(mae::eigen_backend<float>(1), whole) == one);
}

TEST_CASE("recorded work reads the scales of its own step") {
  using mae_test::replaying_backend;
  CHECK(train(replaying_backend<float>(1)) == train(mae::eigen_backend<float>(1)));
  CHECK(train(replaying_backend<mae::bfloat16>(1)) == train(mae::eigen_backend<mae::bfloat16>(1)));
}

TEST_CASE("a training that drops paths is resumed to the same bits") {
  using backend = mae::eigen_backend<float>;
  mae_test::temporary_folder const folder;
  mae_test::labelled_images const images(300);
  mae_test::three_heads<backend> model(mae_test::three_heads_parts(backend(2)));
  mae::trainer trainer(model, images, dropping);
  for (int i = 0; i < 3; ++i) trainer.step();
  mae::save_training(folder.file("training"), trainer);
  mae_test::three_heads<backend> other(mae_test::three_heads_parts(backend(1)));
  mae::trainer resumed(other, images, dropping);
  mae::load_training(folder.file("training"), resumed);
  resumed.run();
  CHECK(mae_test::state_of(resumed) == train(backend(1)));
}
