#pragma once

#include "options.hpp"

#include <mae/core/types.hpp>
#include <mae/train/options.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>

namespace pretrain {

/// How long a training is, and how long this run of it may take.
struct training_length {
  std::int64_t total_steps = 0;
  double warmup_epochs = 0;
  std::optional<double> seconds = {};  // of this run
};

/// What a saved training says of its own length.
struct saved_length {
  std::int64_t total_steps = 0;
  double warmup_epochs = 0;
};

/// Reads the length of the training saved in `checkpoint`. Throws what mae::load_training throws.
saved_length read_saved_length(std::filesystem::path const& checkpoint);

/// The length that the command line asks for: the smallest of its limits. A resumed training keeps
/// its own length and warm-up where the command line is silent. `measured_step` is the time of a
/// step in seconds, needed where the clock is the only limit of a new training.
training_length resolve_length(options const& settings,
                               mae::index_t steps_per_epoch,
                               std::optional<saved_length> const& saved,
                               double measured_step);

/// The library's options for a training of this length.
mae::training_options training_options_for(options const& settings, training_length const& length);

}  // namespace pretrain
