#pragma once

#include "small_training.hpp"

#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/uniformity.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>

#include <utility>

namespace mae_test {

/// The small images, of which every `unlabelled`-th has no class, the others one of four.
class labelled_images : public small_dataset {
 public:
  explicit labelled_images(index_t count, index_t unlabelled = 5)
      : small_dataset(painted_images(count, 1)), unlabelled_(unlabelled) {}

  index_t num_classes() const { return 4; }
  index_t label(index_t image) const { return image % unlabelled_ == 0 ? -1 : image * 7 % 4; }

 private:
  index_t unlabelled_;
};

/// A painter, uniformity and a classifier on one encoder, with ragged masks.
template <class B>
using three_heads = mae::autoencoder<small_config,
                                     mae::random_ratio_mask,
                                     B,
                                     mae::normalised_pixels,
                                     mae::uniformity,
                                     mae::classifier>;

template <class B>
typename three_heads<B>::parts three_heads_parts(B backend) {
  return {.seed = 5,
          .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
          .backend = std::move(backend),
          .heads = {mae::uniformity{},
                    mae::classifier{.classes = 4, .normalises = true, .smoothing = 0.1}},
          .head_weights = {1, 0.5, 0.25}};
}

}  // namespace mae_test
