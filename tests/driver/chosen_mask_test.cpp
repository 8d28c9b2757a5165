// The mask of the command line says and does what the one does that it stands for.
#include "chosen_mask.hpp"

#include "images.hpp"
#include "options.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/batch_budget.hpp>
#include <mae/mask/learning.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 1, .width = 24, .heads = 3},
    .decoder = {.depth = 1, .width = 24, .heads = 3},
};

/// Sixteen images, each of which is plainer than the next.
pretrain::image_set images() {
  constexpr std::size_t values = std::size_t{32} * 32 * 3;
  std::vector<std::uint8_t> pixels(16 * values);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(i * i % 7 * (i / values));
  return pretrain::image_set(
      mae::memory_dataset<std::uint8_t>(std::move(pixels), {.extent = config.image}));
}

pretrain::chosen_mask made(pretrain::density_choice measure, pretrain::mask_budget_choice budget) {
  pretrain::options o;
  o.mask = pretrain::mask_choice::density;
  o.mask_measure = measure;
  o.mask_budget = budget;
  o.batch_size = 4;
  mae::thread_pool threads(1);
  return pretrain::make_mask(o, images(), config, threads);
}

}  // namespace

TEST_CASE("the chosen mask counts with its batch where its budget is the batch's") {
  using enum pretrain::mask_budget_choice;
  auto const mask = made(pretrain::density_choice::variance, batch);
  CHECK(mae::counts_with_batch(mask));
  CHECK_FALSE(mae::counts_with_batch(made(pretrain::density_choice::variance, training)));
  CHECK_FALSE(mae::learns(mask));
  CHECK_FALSE(mae::needs_squared_losses(mask));
  CHECK(mask.settings().back() == mae::setting{"mask_budget", "batch"});
  std::vector<float> plain(std::size_t{64} * 48);
  std::vector<float> dense(plain);
  for (std::size_t i = 0; i < dense.size(); i += 2) dense[i] = 1;
  auto const wish = [&](std::vector<float> const& patches) {
    return mask.wish({.patches = {patches.data(), 64, 48}, .channels = 3, .patch_width = 4});
  };
  CHECK(wish(plain) < 16);
  CHECK(wish(dense) == doctest::Approx(64 * (1 - 0.75 + 0.15)));
  std::vector<index_t> visible(4);
  mask.counts_of_batch(std::vector<double>{30, 28, 26, 24}, 64, visible);
  CHECK(visible == std::vector<index_t>{19, 17, 15, 13});
}

TEST_CASE("the chosen mask learns from squared losses where it is one by losses") {
  auto const mask = made(pretrain::density_choice::loss, pretrain::mask_budget_choice::training);
  CHECK(mae::learns(mask));
  CHECK(mask.num_sums() == 2 * 4);
  CHECK(mae::needs_squared_losses(mask));
  CHECK_FALSE(mae::counts_with_batch(mask));
  REQUIRE(mask.state_names.size() == 3);
  CHECK(mask.state(0).size() == 16);
}
