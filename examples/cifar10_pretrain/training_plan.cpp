#include "training_plan.hpp"

#include "terminal.hpp"

#include <mae/core/text.hpp>

#include <sys/resource.h>

#include <iomanip>
#include <sstream>

namespace pretrain {
namespace {

/// Of the blocks of a stack, for one image of so many tokens.
double stack_flops(mae::stack_config const& stack, double tokens) {
  auto const width = static_cast<double>(stack.width);
  auto const hidden = static_cast<double>(stack.hidden());
  return static_cast<double>(stack.depth) *
         (tokens * width * (8 * width + 4 * hidden) + 4 * tokens * tokens * width);
}

/// The most memory that this process has had, in MB.
double peak_megabytes() {
  struct rusage used {};
  ::getrusage(RUSAGE_SELF, &used);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): glibc declares it so.
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

double training_flops(mae::model_config const& config,
                      double visible,
                      double predicted,
                      double painted_visible) {
  auto const values = static_cast<double>(config.patch_values());
  auto const width = static_cast<double>(config.encoder.width);
  auto const narrow = static_cast<double>(config.decoder.width);
  double const between = 2 * (visible + 1) * width * narrow;
  double const painting = 2 * (predicted + painted_visible) * narrow * values;
  double const decoding = predicted + painted_visible > 0
                              ? stack_flops(config.decoder, visible + predicted + 1) + painting
                              : 0;
  double const forward = encoder_flops(config, visible) + between + decoding;
  double const embedding = 2 * visible * values * width;
  return 3 * forward - embedding;  // pixels have no gradient
}

double cross_training_flops(mae::model_config const& config, double visible, double predicted) {
  auto const values = static_cast<double>(config.patch_values());
  auto const width = static_cast<double>(config.encoder.width);
  auto const narrow = static_cast<double>(config.decoder.width);
  auto const hidden = static_cast<double>(config.decoder.hidden());
  double const tokens = visible + 1;
  double const of_queries = predicted * narrow * (4 * narrow + 4 * hidden);
  double const of_keys = 4 * tokens * width * narrow;
  double const blocks = static_cast<double>(config.decoder.depth) *
                        (of_queries + of_keys + 4 * predicted * tokens * narrow);
  double const painting = 2 * predicted * narrow * values;
  double const forward = encoder_flops(config, visible) + blocks + painting;
  return 3 * forward - 2 * visible * values * width;  // pixels have no gradient
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

}  // namespace pretrain
