#pragma once

#include "beginning.hpp"
#include "options.hpp"

#include <mae/core/types.hpp>
#include <mae/train/options.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace pretrain {

inline constexpr double seconds_per_minute = 60;
inline constexpr double usual_warmup = 0.05;  // of the whole training

/// How long a training is, and how long this run of it may take.
struct training_length {
  std::int64_t total_steps = 0;
  double warmup_epochs = 0;
  std::optional<double> seconds = {};  // of this run
};

/// The length that the command line asks for: the smallest of its limits. A resumed training keeps
/// its own length and warm-up where the command line is silent. `measured_step` is the time of a
/// step in seconds, needed where the clock is the only limit of a new training.
inline training_length resolve_length(options const& settings,
                                      mae::index_t steps_per_epoch,
                                      std::optional<saved_training> const& saved,
                                      double measured_step) {
  training_length length;
  std::optional<std::int64_t> steps = settings.steps;
  if (settings.epochs)
    steps = std::min(steps.value_or(*settings.epochs * steps_per_epoch),
                     *settings.epochs * steps_per_epoch);
  if (!steps && saved) steps = saved->total_steps;
  if (!steps) {
    double const available = settings.minutes.value_or(0) * seconds_per_minute;
    steps = std::max<std::int64_t>(2, std::llround(available / measured_step));
  } else if (settings.minutes) {
    length.seconds = *settings.minutes * seconds_per_minute;
  }
  length.total_steps = *steps;
  double warmup_steps = usual_warmup * static_cast<double>(*steps);
  if (settings.warmup_steps > 0 && *steps >= 2 * settings.warmup_steps)
    warmup_steps = static_cast<double>(settings.warmup_steps);
  double const usual = warmup_steps / static_cast<double>(steps_per_epoch);
  length.warmup_epochs = settings.warmup_epochs.value_or(saved ? saved->warmup_epochs : usual);
  return length;
}

/// The library's options for a training of this length.
inline mae::training_options training_options_for(options const& settings,
                                                  training_length const& length) {
  return {.seed = settings.seed,
          .batch_size = settings.batch_size,
          .accumulate = settings.accumulate,
          .views = settings.views,
          .painted_views = settings.painted_views,
          .predicted_share = settings.predicted_share,
          .steps = length.total_steps,
          .lr = peak_learning_rate(settings),
          .warmup_epochs = length.warmup_epochs,
          .clip = settings.clip,
          .groups = {.frozen = settings.frozen, .frozen_from = settings.frozen_from},
          .augment = settings.augment,
          .local = settings.local,
          .colours = settings.colours,
          .noise = settings.noise,
          .head_schedules = settings.head_schedules,
          .alternate = settings.alternate,
          .conflicts = settings.conflicts,
          .record_gradients = settings.record_gradients};
}

}  // namespace pretrain
