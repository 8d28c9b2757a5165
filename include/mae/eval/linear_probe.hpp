#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_classifier.hpp>
#include <mae/eval/probe_training.hpp>
#include <mae/optimizer/sgd.hpp>

#include <algorithm>
#include <cstdint>

namespace mae {

/// How a linear probe is trained.
struct probe_options {
  index_t epochs = 50;
  index_t batch = 512;  // of a smaller training set, all of it
  double learning_rate = 0.1;
  double momentum = 0.9;
  std::uint64_t seed = 0;
};

namespace detail {

inline void require_valid(probe_options const& options, index_t images) {
  require_valid("linear probe", {options.epochs, options.batch, options.learning_rate}, images);
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

  return detail::train_probe(
      classifier, train, test, {options.epochs, batch, options.learning_rate, options.seed});
}

}  // namespace mae
