#include "length.hpp"

#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace pretrain {
namespace {

constexpr double seconds_per_minute = 60;
constexpr double usual_warmup = 0.05;  // of the whole training

}  // namespace

saved_length read_saved_length(std::filesystem::path const& checkpoint) {
  std::string const path = checkpoint.string();
  auto const file = mae::safetensors_file::load(path);
  mae::progress_reader const read(path, file.metadata());
  return {.total_steps = read.count("total_steps"), .warmup_epochs = read.number("warmup_epochs")};
}

training_length resolve_length(options const& settings,
                               mae::index_t steps_per_epoch,
                               std::optional<saved_length> const& saved,
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
  double const usual =
      usual_warmup * static_cast<double>(*steps) / static_cast<double>(steps_per_epoch);
  length.warmup_epochs = settings.warmup_epochs.value_or(saved ? saved->warmup_epochs : usual);
  return length;
}

mae::training_options training_options_for(options const& settings, training_length const& length) {
  return {.seed = settings.seed,
          .batch_size = settings.batch_size,
          .accumulate = settings.accumulate,
          .steps = length.total_steps,
          .lr = peak_learning_rate(settings),
          .warmup_epochs = length.warmup_epochs,
          .weight_decay = settings.weight_decay,
          .clip = settings.clip,
          .augment = {.crop_min = settings.crop_min}};
}

}  // namespace pretrain
