#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/sampler.hpp>
#include <mae/eval/labelled_features.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <string>

namespace mae {

/// What a probe found, after its last epoch.
struct probe_result {
  double top1 = 0.0;        // the share of test images whose class was named, in [0, 1]
  double train_top1 = 0.0;  // the same of the training images
  double loss = 0.0;        // the mean training cross-entropy of the last epoch
};

namespace detail {

/// How any probe is trained.
struct probe_schedule {
  index_t epochs = 0;
  index_t batch = 0;
  double learning_rate = 0;
  std::uint64_t seed = 0;
};

inline void require_valid(char const* probe, probe_schedule const& schedule, index_t images) {
  auto const refuse = [probe](char const* why) {
    throw config_error(std::string(probe) + ": " + why);
  };
  if (schedule.epochs < 1 || schedule.epochs > std::numeric_limits<std::int32_t>::max())
    refuse("the epochs must be between 1 and 2^31 - 1");
  if (schedule.batch < 2 || images < 2)
    refuse("a batch needs at least two images to be normalised by");
  if (!(schedule.learning_rate > 0.0) || !std::isfinite(schedule.learning_rate))
    refuse("the learning rate must be positive");
}

/// Half a cosine per step from the learning rate to 0. The images after an epoch's last whole batch
/// are left out of it; the last epoch counts, not the best.
template <class Classifier, class T>
probe_result train_probe(Classifier& classifier,
                         labelled_rows<T> const& train,
                         labelled_rows<T> const& test,
                         probe_schedule const& schedule) {
  epoch_sampler sampler(train.size(), schedule.batch, schedule.seed);
  index_t const epoch_steps = sampler.steps_per_epoch();
  auto const all_steps = static_cast<double>(schedule.epochs * epoch_steps);
  double loss = 0.0;
  for (index_t epoch = 0; epoch < schedule.epochs; ++epoch) {
    loss = 0.0;
    for (index_t i = 0; i < epoch_steps; ++i) {
      double const done = static_cast<double>(epoch * epoch_steps + i) / all_steps;
      double const cosine = 0.5 + 0.5 * std::cos(std::numbers::pi * done);
      loss += classifier.train(train,
                               sampler.indices(static_cast<std::uint32_t>(epoch), i),
                               schedule.learning_rate * cosine);
    }
  }
  return {.top1 = classifier.accuracy(test),
          .train_top1 = classifier.accuracy(train),
          .loss = loss / static_cast<double>(epoch_steps)};
}

}  // namespace detail

}  // namespace mae
