#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

// How good predicted classes are.

namespace tools {

/// Of images with K classes. A class without images counts in no mean.
struct class_metrics {
  mae::index_t images = 0;
  double top1 = 0;               // the share of images whose class has the highest score
  double top5 = 0;               // likewise among the five highest; of K < 6 classes 1
  double balanced_accuracy = 0;  // the mean over classes of the share of its images that are right
  double macro_f1 = 0;           // the mean over classes of 2 TP / (2 TP + FP + FN)
  std::vector<mae::index_t> confusion;  // (K, K): row: the class, column: what was predicted
};

/// Of scores (n, K) and the images' classes; those below 0 are left out. Of equal scores the lower
/// class is predicted.
class_metrics measure_classes(mae::matrix_view<float const> scores,
                              std::span<mae::index_t const> labels);

/// Images of one class that were taken for another.
struct confused_pair {
  mae::index_t truth = 0;
  mae::index_t predicted = 0;
  mae::index_t images = 0;             // how many
  std::vector<mae::index_t> examples;  // some of them, those that seemed surest first
};

/// The pairs of classes that are confused most often, of equals the first class's first; at most so
/// many, with at most so many examples each. Of the same scores and labels as `found`.
std::vector<confused_pair> most_confused(class_metrics const& found,
                                         mae::matrix_view<float const> scores,
                                         std::span<mae::index_t const> labels,
                                         std::size_t most_pairs,
                                         std::size_t most_examples);

/// The class with the highest score; of equals the first.
mae::index_t predicted_class(std::span<float const> scores);

/// predictions.csv (RFC 4180): of each image its number, its class (empty where it has none), the
/// one that is predicted, and that one's probability.
std::string predictions_csv(mae::matrix_view<float const> scores,
                            std::span<mae::index_t const> labels);

}  // namespace tools
