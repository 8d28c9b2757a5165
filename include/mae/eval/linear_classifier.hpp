#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/feature_classifier.hpp>
#include <mae/head/classifier.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/pooling.hpp>
#include <mae/optimizer/sgd.hpp>

#include <cstddef>

namespace mae {

/// The head `classifier` over cached features: one row of an image, in the place of its class
/// token.
template <Backend B>
class linear_classifier : public feature_classifier<B, classifier, sgd> {
  using base = feature_classifier<B, classifier, sgd>;
  using T = typename B::scalar;

 public:
  /// Weights and biases are zero at first. `batch` >= 2 is the size of every training batch.
  linear_classifier(
      index_t features, index_t classes, index_t batch, sgd const& rule, B const& backend)
      : base({.encoder_width = features, .classes = classes, .pool = pooling::class_token},
             {},
             batch,
             rule,
             backend) {}

  /// Draws the weights from N(0, 0.01^2).
  void initialise(random_stream& random) {
    auto const weight = weights().weight;
    this->draw({weight.data, static_cast<std::size_t>(weight.size())}, 0.01, random);
  }
  /// weight (classes, F), bias (classes), in the backend's memory.
  linear_weights<T const> weights() const { return base::weights().layer; }
};

}  // namespace mae
