#include "dry_run.hpp"

#include "configs.hpp"
#include "length.hpp"
#include "output_folder.hpp"
#include "parts.hpp"
#include "terminal.hpp"
#include "training_task.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/head/decoder.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>

namespace pretrain {
namespace {

using mae::index_t;

/// Of the blocks of a stack, for one image of so many tokens.
double stack_flops(mae::stack_config const& stack, double tokens) {
  auto const width = static_cast<double>(stack.width);
  auto const hidden = static_cast<double>(stack.hidden());
  return static_cast<double>(stack.depth) *
         (tokens * width * (8 * width + 4 * hidden) + 4 * tokens * tokens * width);
}

/// The share of patches that an average image hides, halfway through the training.
double hidden_share(options const& settings) {
  bool const is_ranged =
      settings.mask == mask_choice::ramped || settings.mask == mask_choice::random;
  return is_ranged ? (settings.mask_from + settings.mask_to) / 2 : settings.mask_ratio;
}

/// The most memory that this process has had, in MB.
double peak_megabytes() {
  struct rusage used {};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_maxrss) / 1024;  // Linux counts in KiB
}

}  // namespace

double time_of_step(std::function<double()> const& step) {
  constexpr int steps = 3;
  step();
  double spent = 0;
  for (int i = 0; i < steps; ++i) spent += step();
  return spent / steps;
}

double encoder_flops(mae::model_config const& config, double visible) {
  auto const embedding =
      2 * visible * static_cast<double>(config.patch_values() * config.encoder.width);
  return embedding + stack_flops(config.encoder, visible + 1);
}

double training_flops(mae::model_config const& config, double visible) {
  auto const patches = static_cast<double>(config.num_patches());
  auto const values = static_cast<double>(config.patch_values());
  auto const width = static_cast<double>(config.encoder.width);
  auto const narrow = static_cast<double>(config.decoder.width);
  double const between = 2 * (visible + 1) * width * narrow;
  double const painting = 2 * (patches - visible) * narrow * values;
  double const forward = encoder_flops(config, visible) + between +
                         stack_flops(config.decoder, patches + 1) + painting;
  double const embedding = 2 * visible * values * width;
  return 3 * forward - embedding;  // pixels have no gradient
}

std::string to_text(training_plan const& plan) {
  constexpr double giga = 1e9;
  constexpr double million = 1e6;
  constexpr double thousand = 1000;
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << mae::printable(plan.title)
      << "; nothing is written\n  parameters  " << static_cast<double>(plan.parameters) / million
      << " M\n  a step      " << plan.step_images << " images, " << plan.step_flops / giga
      << " GFLOP (" << plan.counted << "), " << plan.step_seconds * thousand
      << " ms: the mean of three just now, " << plan.step_flops / giga / plan.step_seconds
      << " GFLOP/s\n  steps       " << plan.steps << ", " << plan.epochs << " epochs of "
      << plan.images << " images";
  if (plan.steps_done > 0) out << ", of which " << plan.steps_done << " are done";
  out << "\n  time        " << format_duration(plan.seconds_left)
      << " for the steps; grading, pictures and saves come on top\n  memory      "
      << std::setprecision(0) << peak_megabytes()
      << " MB, the most that this process had in these steps, images included" << plan.memory_note
      << '\n';
  return out.str();
}

void say_plan(options const& settings,
              image_sets const& images,
              beginning const& start,
              std::ostream& out) {
  auto const threads = std::make_shared<mae::thread_pool>(settings.threads);
  auto const mask = make_mask(settings, images.train, config_of(settings).patch, *threads);
  auto const make = [&](training_length const& length) {
    return make_task({settings,
                      images.train,
                      mask,
                      length,
                      start.initial.get(),
                      start.saved ? &*start.saved : nullptr,
                      start.picture_entries,
                      threads});
  };
  double const seconds = [&] {
    auto const trial = make({.total_steps = 1'000'000});
    return time_of_step([&] { return trial->train_step().seconds; });
  }();
  index_t const of_step = settings.batch_size * settings.accumulate;
  index_t const per_epoch = std::max<index_t>(1, images.train.size() / of_step);
  auto const length = resolve_length(settings, per_epoch, start.saved, seconds);
  auto const task = make(length);
  std::int64_t done = 0;
  if (start.saved) {
    task->resume(settings.out / output::training);
    done = task->step();
  }
  auto const& config = task->config();
  double const visible = static_cast<double>(config.num_patches()) * (1 - hidden_share(settings));
  auto const compute = task->compute();
  auto const steps = task->total_steps();
  double left = seconds * static_cast<double>(steps - done);
  if (length.seconds) left = std::min(left, *length.seconds);
  out << to_text(
      {.title = model_name(settings) + " on " + images.name + ", " + compute.backend + ", " +
                compute.precision + ", " + compute.device + ", " + std::to_string(threads->size()) +
                " threads",
       .parameters = mae::parameter_count(config, config.patch_values()),
       .step_images = of_step,
       .step_flops = static_cast<double>(of_step) * training_flops(config, visible),
       .counted = "products alone, backward as twice forward",
       .step_seconds = seconds,
       .steps = steps,
       .steps_done = done,
       .epochs = static_cast<double>(steps) / static_cast<double>(task->steps_per_epoch()),
       .images = images.train.size(),
       .seconds_left = left,
       .memory_note = compute.uses_processor ? "" : "; the device's own not"});
}

}  // namespace pretrain
