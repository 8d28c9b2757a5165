#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/train/options.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace mae {

/// The learning rate of each optimizer step: linear from 0 over the warm-up, then half a cosine
/// down to `least` (Loshchilov and Hutter 2016, arXiv 1608.03983; the official code's
/// adjust_learning_rate).
struct cosine_schedule {
  double peak = 0;
  double warmup_steps = 0;
  double total_steps = 1;
  double least = 0;

  double operator()(std::int64_t step) const {
    auto const now = static_cast<double>(step);
    if (now < warmup_steps) return peak * now / warmup_steps;
    double const done = (now - warmup_steps) / (total_steps - warmup_steps);
    return least + (peak - least) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  }
};

/// The schedule of a training by these options. Throws config_error where it has more epochs than
/// random streams have numbers for, or a warm-up as long as itself.
inline cosine_schedule schedule_of(training_options const& options, index_t steps_per_epoch) {
  // An epoch's number is part of every random stream's, and has 32 bits there.
  constexpr index_t most_epochs = std::numeric_limits<std::uint32_t>::max();
  index_t const most_steps = steps_per_epoch * most_epochs;  // at most 2^31 steps each
  detail::require_that(options.steps ? *options.steps <= most_steps : options.epochs <= most_epochs,
                       "a training has at most 2^32 - 1 epochs");
  index_t const steps = options.steps.value_or(options.epochs * steps_per_epoch);
  cosine_schedule const schedule{
      .peak = options.lr,
      .warmup_steps = options.warmup_epochs * static_cast<double>(steps_per_epoch),
      .total_steps = static_cast<double>(steps),
      .least = options.min_lr};
  detail::require_that(schedule.warmup_steps < schedule.total_steps,
                       "the warm-up is as long as the whole training");
  return schedule;
}

}  // namespace mae
