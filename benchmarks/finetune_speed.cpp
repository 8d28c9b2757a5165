// Times whole steps of fine-tuning on classes: data, crops and mirrors, forward over whole images,
// the mean's norm and classifier, backward and AdamW with layer decay. Prints one JSON line with
// the median step.
//
//   finetune_speed --config tiny4|tiny2|base16 --batch N --precision fp32|bf16 --threads N --steps
//   N
#include "arguments.hpp"
#include "models.hpp"
#include "processor.hpp"

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/head/classifier.hpp>
#include <mae/mask/none.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

namespace {

constexpr int classes = 10;

mae::memory_dataset<std::uint8_t> labelled_noise(mae::index_t count, mae::image_extent extent) {
  mae::random_stream random{mae::stream_key{}};
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * extent.values()));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  std::vector<std::int32_t> labels;
  for (mae::index_t i = 0; i < count; ++i) labels.push_back(static_cast<std::int32_t>(i % classes));
  return {std::move(pixels), {.extent = extent}, {std::move(labels), classes}};
}

template <mae::model_config Config, mae::Backend B>
void measure(benchmarks::arguments const& chosen, B const& backend) {
  auto const images = labelled_noise(2 * chosen.batch, Config.image);
  mae::headed_encoder<Config, mae::no_mask, B, mae::classifier> model(
      {.heads = {mae::classifier{.classes = classes, .normalises = true, .smoothing = 0.1}},
       .backend = backend,
       .final_norm = mae::norm_place::pooled});
  mae::trainer training(model,
                        images,
                        {.batch_size = chosen.batch,
                         .steps = 1'000'000,
                         .lr = 1e-4,
                         .groups = {.layer_decay = 0.75, .tokens_decay = false}});
  std::vector<double> seconds;
  for (int i = 0; i < chosen.steps + 2; ++i) seconds.push_back(training.step().seconds);
  auto const middle = seconds.begin() + 2 + chosen.steps / 2;  // two steps warm up
  std::nth_element(seconds.begin() + 2, middle, seconds.end());
  double const rate = chosen.batch / *middle;
  std::printf(
      "{\"system\": \"mae %s\", \"config\": \"%s\", \"batch\": %d, \"precision\": \"%s\", "
      "\"threads\": %d, \"images_per_second\": %.1f, \"gflops\": %.1f}\n",
      B::name(),
      chosen.config.c_str(),
      chosen.batch,
      chosen.precision.c_str(),
      chosen.threads,
      rate,
      3 * benchmarks::encoder_flops(Config) * rate / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  return benchmarks::run_on_processor(chosen, [&](auto config, auto const& backend) {
    measure<decltype(config)::value>(chosen, backend);
  });
}
