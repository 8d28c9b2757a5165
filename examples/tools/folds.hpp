#pragma once

#include "grading.hpp"

#include <mae/core/types.hpp>
#include <mae/eval/labelled_features.hpp>

#include <algorithm>
#include <iterator>

namespace tools {

/// A set of images cut in two: those of one fold, and the others. Image i is in fold i mod `folds`,
/// so that a set in the order of its classes is dealt evenly.
struct fold_of_images {
  pretrain::graded_features others;
  pretrain::graded_features held_out;

  fold_of_images(mae::labelled_features const& all, mae::index_t fold, mae::index_t folds) {
    for (mae::index_t i = 0; i < all.size(); ++i) {
      auto& part = i % folds == fold ? held_out : others;
      std::ranges::copy(all.features.row(i), std::back_inserter(part.values));
      part.labels.push_back(all.label(i));
    }
  }
};

}  // namespace tools
