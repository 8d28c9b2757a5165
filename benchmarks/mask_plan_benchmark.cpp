// How long the planning of a batch's masks takes, for each policy.
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

constexpr mae::index_t images = 256;
constexpr mae::index_t patches = 64;
constexpr mae::index_t patch_values = 48;

template <mae::MaskPolicy Mask>
void plan_batch(benchmark::State& state, Mask const& mask) {
  std::vector<float> pixels(static_cast<std::size_t>(patches * patch_values));
  mae::random_stream noise{mae::stream_key{}};
  for (float& pixel : pixels) pixel = noise.uniform();
  mae::mask_context const image{
      .patches = mae::matrix_view<float const>(pixels.data(), patches, patch_values),
      .channels = 3,
      .grid_rows = 8,
      .grid_columns = 8,
      .progress = 0.5};
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

}  // namespace

BENCHMARK_CAPTURE(plan_batch, uniform, mae::uniform_mask<mae::ratio{3, 4}>{});
BENCHMARK_CAPTURE(plan_batch, ramped, mae::ramped_mask({.from = 0.6, .to = 0.85}));
BENCHMARK_CAPTURE(plan_batch, random_ratio, mae::random_ratio_mask({.low = 0.6, .high = 0.85}));
BENCHMARK_CAPTURE(plan_batch,
                  saliency,
                  mae::saliency_mask({.training = {.mean = -4.0, .deviation = 1.0}}));
