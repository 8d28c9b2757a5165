#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/eval/head_outputs.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <vector>

namespace mae {

/// What the head number `I` of a model, a classifier, says of every image of a dataset, whole and
/// as it is: a score for each class, before a softmax (n, K). The same bits for any number of
/// threads. Throws config_error for images of another extent than the model's, and where the head
/// is off.
template <std::size_t I = 0, Trainable Model, Dataset D>
std::vector<typename Model::scalar> class_scores(Model const& model, D const& dataset) {
  using T = typename Model::scalar;
  index_t const classes = std::get<I>(model.sizes().heads).classes;
  std::vector<T> scores(static_cast<std::size_t>(dataset.size() * classes));
  for_each_output<I>(
      model, dataset, [&](index_t first, index_t /*count*/, matrix_view<T const> found) {
        std::copy_n(found.data, found.size(), scores.data() + first * classes);
      });
  return scores;
}

}  // namespace mae
