#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

namespace mae {

/// What an encoder says of images whose class is known: a view of both. T is float, or bfloat16,
/// which takes half the memory.
template <class T>
struct labelled_rows {
  matrix_view<T const> features;    // (n, F)
  std::span<index_t const> labels;  // (n), each in [0, classes)

  index_t size() const { return features.rows; }
  index_t label(index_t index) const { return labels[static_cast<std::size_t>(index)]; }
};

using labelled_features = labelled_rows<float>;

namespace detail {

template <class T>
void require_valid(char const* name, labelled_rows<T> const& set, index_t classes) {
  auto const refuse = [name](std::string const& why) {
    throw config_error(std::string(name) + " features: " + why);
  };
  if (set.size() < 1 || set.features.cols < 1) refuse("there are none");
  if (static_cast<index_t>(set.labels.size()) != set.size())
    refuse(std::to_string(set.labels.size()) + " labels for " + std::to_string(set.size()) +
           " images");
  for (index_t i = 0; i < set.size(); ++i) {
    if (set.label(i) < 0 || set.label(i) >= classes)
      refuse("the label of image " + std::to_string(i) + " is " + std::to_string(set.label(i)) +
             ", of " + std::to_string(classes) + " classes");
    std::span<T const> const row = set.features.row(i);
    if (!std::all_of(row.begin(), row.end(), [](T value) {
          return std::isfinite(static_cast<float>(value));
        }))
      refuse("those of image " + std::to_string(i) + " are not finite");
  }
}

}  // namespace detail

/// Throws config_error unless both sets hold images with finite features of one width and with
/// labels in [0, classes): what every evaluation asks for.
template <class T>
void require_comparable(labelled_rows<T> const& train,
                        labelled_rows<T> const& test,
                        index_t classes) {
  if (classes < 2) throw config_error("an evaluation needs at least two classes");
  detail::require_valid("training", train, classes);
  detail::require_valid("test", test, classes);
  if (train.features.cols != test.features.cols)
    throw config_error("training features have " + std::to_string(train.features.cols) +
                       " values, test features " + std::to_string(test.features.cols));
}

}  // namespace mae
