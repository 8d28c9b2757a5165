#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/sampler.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_classifier.hpp>
#include <mae/optimizer/sgd.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace mae {

/// How a linear probe is trained.
struct probe_options {
  index_t epochs = 50;
  index_t batch = 512;  // of a smaller training set, all of it
  double learning_rate = 0.1;
  double momentum = 0.9;
  std::uint64_t seed = 0;
};

/// What a linear probe found, after its last epoch.
struct probe_result {
  double top1 = 0.0;        // the share of test images whose class was named, in [0, 1]
  double train_top1 = 0.0;  // the same of the training images
  double loss = 0.0;        // the mean training cross-entropy of the last epoch
};

namespace detail {

inline void require_valid(probe_options const& options, index_t images) {
  if (options.epochs < 1 || options.epochs > std::numeric_limits<std::int32_t>::max())
    throw config_error("linear probe: the epochs must be between 1 and 2^31 - 1");
  if (options.batch < 2 || images < 2)
    throw config_error("linear probe: a batch needs at least two images to be normalised by");
  if (!(options.learning_rate > 0.0) || !std::isfinite(options.learning_rate))
    throw config_error("linear probe: the learning rate must be positive");
  if (!(options.momentum >= 0.0 && options.momentum < 1.0))
    throw config_error("linear probe: the momentum must lie in [0, 1)");
}

}  // namespace detail

/// How well a linear classifier does on frozen features: batch norm without affine part, a linear
/// layer (weights N(0, 0.01^2), bias 0), cross-entropy, SGD with momentum, half a cosine per step
/// from the learning rate to 0. The images after an epoch's last whole batch are left out of it.
/// The last epoch counts, not the best. Trains the head `classifier` by `sgd` on any backend, on
/// all of its threads, and does not depend on their number. Throws config_error for options that
/// cannot be used and for sets that require_comparable refuses.
template <Backend B>
probe_result linear_probe(B const& backend,
                          labelled_features const& train,
                          labelled_features const& test,
                          index_t classes,
                          probe_options const& options = {}) {
  require_comparable(train, test, classes);
  detail::require_valid(options, train.size());

  index_t const batch = std::min(options.batch, train.size());
  linear_classifier<B> classifier(
      train.features.cols, classes, batch, sgd{.momentum = options.momentum}, backend);
  random_stream random({.seed = options.seed, .use = purpose::probe});
  classifier.initialise(random);

  epoch_sampler sampler(train.size(), batch, options.seed);
  index_t const epoch_steps = sampler.steps_per_epoch();
  auto const all_steps = static_cast<double>(options.epochs * epoch_steps);
  double loss = 0.0;
  for (index_t epoch = 0; epoch < options.epochs; ++epoch) {
    loss = 0.0;
    for (index_t i = 0; i < epoch_steps; ++i) {
      double const done = static_cast<double>(epoch * epoch_steps + i) / all_steps;
      double const cosine = 0.5 + 0.5 * std::cos(std::numbers::pi * done);
      loss += classifier.train(train,
                               sampler.indices(static_cast<std::uint32_t>(epoch), i),
                               options.learning_rate * cosine);
    }
  }
  return {.top1 = classifier.accuracy(test),
          .train_top1 = classifier.accuracy(train),
          .loss = loss / static_cast<double>(epoch_steps)};
}

}  // namespace mae
