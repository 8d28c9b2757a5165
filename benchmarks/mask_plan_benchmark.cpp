// How long the planning of a batch's masks takes, for each policy, and learning from them.
#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/masks.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace {

constexpr mae::index_t images = 256;
constexpr mae::index_t patches = 64;
constexpr mae::index_t patch_values = 48;

constexpr mae::model_config tiny4{.image = {.height = 32, .width = 32, .channels = 3},
                                  .patch = {.height = 4, .width = 4},
                                  .encoder = {.depth = 12, .width = 192, .heads = 3},
                                  .decoder = {.depth = 2, .width = 96, .heads = 3}};

/// An image of noise, half of a training done.
struct noisy_image {
  noisy_image() {
    mae::random_stream noise{mae::stream_key{}};
    for (float& pixel : pixels) pixel = noise.uniform();
  }
  mae::mask_context context() const {
    return {.patches = mae::matrix_view<float const>(pixels.data(), patches, patch_values),
            .channels = 3,
            .grid_rows = 8,
            .grid_columns = 8,
            .patch_width = 4,
            .progress = 0.5};
  }
  std::vector<float> pixels = std::vector<float>(static_cast<std::size_t>(patches * patch_values));
};

template <mae::MaskPolicy Mask>
void plan_batch(benchmark::State& state, Mask const& mask) {
  noisy_image const noise;
  auto const image = noise.context();
  std::vector<float> scores(static_cast<std::size_t>(patches));
  mae::mask_plan plan(images, patches);
  for (auto _ : state) {
    for (mae::index_t i = 0; i < images; ++i) {
      mae::random_stream random(
          {.use = mae::purpose::mask, .index = static_cast<std::uint64_t>(i)});
      mae::plan_image(plan, i, mask, image, random, scores);
    }
    benchmark::DoNotOptimize(plan);
  }
  state.SetItemsProcessed(state.iterations() * images);
}

/// What an image's losses cost a mask that learns, beside drawing it.
template <mae::LearningMask Mask>
void learn_of_batch(benchmark::State& state, Mask mask) {
  noisy_image const noise;
  auto const image = noise.context();
  std::vector<mae::patch_index> order(static_cast<std::size_t>(patches));
  std::iota(order.begin(), order.end(), mae::patch_index{0});
  std::span<mae::patch_index const> const visible(order.data(), 16);
  std::span<mae::patch_index const> const targets(order.data() + 16, 48);
  std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
  mae::mask_feedback const told{.image = image,
                                .visible = visible,
                                .targets = targets,
                                .losses = std::span(noise.pixels).first(48),
                                .slopes = std::span(noise.pixels).last(16)};
  mask.add_gradient(told, sums);
  mask.update(sums, 1);
  for (auto _ : state) {
    for (mae::index_t i = 0; i < images; ++i) mask.add_gradient(told, sums);
    benchmark::DoNotOptimize(sums);
  }
  state.SetItemsProcessed(state.iterations() * images);
}

}  // namespace

BENCHMARK_CAPTURE(plan_batch, uniform, mae::uniform_mask<mae::ratio{3, 4}>{});
BENCHMARK_CAPTURE(plan_batch, ramped, mae::ramped_mask({.from = 0.6, .to = 0.85}));
BENCHMARK_CAPTURE(plan_batch, random_ratio, mae::random_ratio_mask({.low = 0.6, .high = 0.85}));
BENCHMARK_CAPTURE(plan_batch,
                  saliency,
                  mae::saliency_mask({.training = {.mean = -4.0, .deviation = 1.0}}));
BENCHMARK_CAPTURE(plan_batch, block, mae::block_mask(0.75));
BENCHMARK_CAPTURE(plan_batch, grid, mae::grid_mask(0.75));
BENCHMARK_CAPTURE(plan_batch, column, mae::column_mask(0.75, 8));
BENCHMARK_CAPTURE(plan_batch, density, mae::density_mask({.training = {-8, -1}}));
BENCHMARK_CAPTURE(plan_batch, levels, mae::level_mask({}));
BENCHMARK_CAPTURE(plan_batch, learned, mae::learned_mask(tiny4, {}));
BENCHMARK_CAPTURE(plan_batch, sampling, mae::sampling_mask(tiny4, {}));
BENCHMARK_CAPTURE(plan_batch, gate, mae::gate_mask(tiny4, {}));
BENCHMARK_CAPTURE(learn_of_batch, learned, mae::learned_mask(tiny4, {}));
BENCHMARK_CAPTURE(learn_of_batch, sampling, mae::sampling_mask(tiny4, {}));
BENCHMARK_CAPTURE(learn_of_batch, gate, mae::gate_mask(tiny4, {}));
