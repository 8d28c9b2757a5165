#pragma once

#include "eval_reference.hpp"

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/eval/labelled_features.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace eval_sets {

using mae::index_t;

constexpr index_t reference_features = 6;
constexpr index_t reference_classes = 3;

inline mae::labelled_features reference_train() {
  return {{eval_reference::train_features.data(), 60, reference_features},
          eval_reference::train_labels};
}
inline mae::labelled_features reference_test() {
  return {{eval_reference::test_features.data(), 40, reference_features},
          eval_reference::test_labels};
}

/// Clouds around one centre a class, class = image modulo classes. `spread` is the clouds' size
/// in units of the distance between centres.
struct cloud_set {
  cloud_set(index_t images, index_t width, index_t classes, double spread, std::uint64_t seed)
      : values(static_cast<std::size_t>(images * width)) {
    for (index_t i = 0; i < images; ++i) {
      mae::random_stream random({.seed = seed, .index = static_cast<std::uint64_t>(i)});
      labels.push_back(i % classes);
      for (index_t j = 0; j < width; ++j) {
        double const centre = j % classes == i % classes ? 1.0 : 0.0;
        values[static_cast<std::size_t>(i * width + j)] =
            static_cast<float>(centre + spread * random.normal());
      }
    }
    view = {{values.data(), images, width}, labels};
  }
  cloud_set(cloud_set const&) = delete;
  cloud_set& operator=(cloud_set const&) = delete;

  std::vector<float> values;    // (images, width)
  std::vector<index_t> labels;  // (images)
  mae::labelled_features view;
};

}  // namespace eval_sets
