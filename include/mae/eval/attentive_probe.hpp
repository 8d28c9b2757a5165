#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/feature_classifier.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/probe_training.hpp>
#include <mae/head/attentive_classifier.hpp>
#include <mae/optimizer/adamw.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace mae {

/// How an attentive probe is trained.
struct attentive_options {
  index_t queries = 8;
  index_t epochs = 20;
  index_t batch = 512;  // of a smaller training set, all of it
  double learning_rate = 1e-2;
  double weight_decay = 0.01;
  std::uint64_t seed = 0;
};

/// How well a classifier does that learns where to look: the head `attentive_classifier` on frozen
/// patch tokens, `tokens` of each image side by side, (n, tokens D), as floats or bfloat16. They
/// are normalised by a batch norm without affine part over images and tokens, as AIM's probe does
/// (arXiv 2401.08541); queries begin in N(0, 0.02^2), weights in N(0, 0.01^2), biases at 0; AdamW
/// (beta2 0.999), half a cosine per step from the learning rate to 0. The images after an epoch's
/// last whole batch are left out of it. The last epoch counts, not the best. Runs on any backend,
/// on all of its threads, and does not depend on their number. Throws config_error for options that
/// cannot be used, for sets that require_comparable refuses, and where they are not so many tokens.
template <Backend B, class T>
probe_result attentive_probe(B const& backend,
                             labelled_rows<T> const& train,
                             labelled_rows<T> const& test,
                             index_t classes,
                             index_t tokens,
                             attentive_options const& options = {}) {
  require_comparable(train, test, classes);
  detail::require_valid(
      "attentive probe", {options.epochs, options.batch, options.learning_rate}, train.size());
  if (tokens < 1 || train.features.cols % tokens != 0)
    throw config_error("attentive probe: " + std::to_string(train.features.cols) +
                       " values of an image are not those of " + std::to_string(tokens) +
                       " tokens");
  attentive_classifier const head{.encoder_width = train.features.cols / tokens,
                                  .classes = classes,
                                  .queries = options.queries,
                                  .skipped = 0};
  head.require_valid();
  adamw const rule{.weight_decay = options.weight_decay, .beta2 = 0.999};
  rule.require_valid();

  index_t const batch = std::min(options.batch, train.size());
  feature_classifier<B, attentive_classifier, adamw> classifier(
      head, {.of_image = tokens, .weights_beneath = true}, batch, rule, backend);
  random_stream random({.seed = options.seed, .use = purpose::probe});
  auto const [queries, layer] = classifier.weights();
  classifier.draw(queries, 0.02, random);
  classifier.draw({layer.weight.data, static_cast<std::size_t>(layer.weight.size())}, 0.01, random);
  return detail::train_probe(
      classifier, train, test, {options.epochs, batch, options.learning_rate, options.seed});
}

}  // namespace mae
