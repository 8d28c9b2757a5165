// Times whole steps of fine-tuning on classes: data, crops and mirrors, forward over whole images,
// the mean's norm and classifier, backward and AdamW with layer decay. Prints one JSON line with
// the median step.
//
//   finetune_speed --config tiny4|tiny2|base16 --batch N --precision fp32|bf16 --threads N --steps
//   N
#include "arguments.hpp"
#include "models.hpp"
#include "processor.hpp"
#include "step_speed.hpp"

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/head/classifier.hpp>
#include <mae/mask/none.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/train/trainer.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace {

constexpr int classes = 10;

template <mae::model_config Config, mae::Backend B>
void measure_finetuning(benchmarks::arguments const& chosen, B const& backend) {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 2 * chosen.batch; ++i) labels.push_back(i % classes);
  auto const images =
      benchmarks::noise_images(2 * chosen.batch, Config.image, {std::move(labels), classes});
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
  benchmarks::print_steps(chosen, B::name(), training, 3 * benchmarks::encoder_flops(Config));
}

}  // namespace

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  return benchmarks::run_on_processor(chosen, [&](auto config, auto const& backend) {
    measure_finetuning<decltype(config)::value>(chosen, backend);
  });
}
