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

/// Seconds of a step, after one that warms up.
double time_of_step(training_task& task) {
  constexpr int steps = 3;
  task.train_step();
  double spent = 0;
  for (int i = 0; i < steps; ++i) spent += task.train_step().seconds;
  return spent / steps;
}

/// The most memory that this process has had, in MB.
double peak_megabytes() {
  struct rusage used {};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_maxrss) / 1024;  // Linux counts in KiB
}

}  // namespace

double training_flops(mae::model_config const& config, double visible) {
  auto const patches = static_cast<double>(config.num_patches());
  auto const values = static_cast<double>(config.patch_values());
  auto const width = static_cast<double>(config.encoder.width);
  auto const narrow = static_cast<double>(config.decoder.width);
  double const embedding = 2 * visible * values * width;
  double const between = 2 * (visible + 1) * width * narrow;
  double const painting = 2 * (patches - visible) * narrow * values;
  double const forward = embedding + stack_flops(config.encoder, visible + 1) + between +
                         stack_flops(config.decoder, patches + 1) + painting;
  return 3 * forward - embedding;  // pixels have no gradient
}

void say_plan(options const& settings,
              image_sets const& images,
              beginning const& start,
              std::ostream& out) {
  constexpr double giga = 1e9;
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
  double const seconds = time_of_step(*make({.total_steps = 1'000'000}));
  index_t const of_step = settings.batch_size * settings.accumulate;
  index_t const per_epoch = std::max<index_t>(1, images.train.size() / of_step);
  auto const length = resolve_length(settings, per_epoch, start.saved, seconds);
  auto const task = make(length);
  std::int64_t done = 0;
  if (start.saved) {
    task->resume(settings.out / output::training);
    done = task->step();
  }
  auto const steps = task->total_steps();
  auto const& config = task->config();
  double const visible = static_cast<double>(config.num_patches()) * (1 - hidden_share(settings));
  double const flops = static_cast<double>(of_step) * training_flops(config, visible);
  auto const compute = task->compute();
  double const epochs = static_cast<double>(steps) / static_cast<double>(task->steps_per_epoch());
  double left = seconds * static_cast<double>(steps - done);
  if (length.seconds) left = std::min(left, *length.seconds);
  out << std::fixed << std::setprecision(2) << model_name(settings) << " on "
      << mae::printable(images.name) << ", " << compute.backend << ", " << compute.precision << ", "
      << compute.device << ", " << threads->size() << " threads; nothing is written\n"
      << "  parameters  "
      << static_cast<double>(mae::parameter_count(config, config.patch_values())) / 1e6 << " M\n"
      << "  a step      " << of_step << " images, " << flops / giga
      << " GFLOP (products alone, backward as twice forward), " << seconds * 1000
      << " ms: the mean of three just now, " << flops / giga / seconds << " GFLOP/s\n"
      << "  steps       " << steps << ", " << epochs << " epochs of " << images.train.size()
      << " images" << (done > 0 ? ", of which " + std::to_string(done) + " are done" : "") << '\n'
      << "  time        " << format_duration(left)
      << " for the steps; looks at held-out images, grading and saves come on top\n"
      << "  memory      " << std::setprecision(0) << peak_megabytes()
      << " MB, the most that this process had in these steps, images included"
      << (compute.uses_processor ? "" : "; the device's own not") << '\n';
}

}  // namespace pretrain
