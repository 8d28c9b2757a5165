#include "class_metrics.hpp"

#include <mae/core/settings.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace tools {

namespace {

using mae::index_t;

/// How many classes score higher, or as high and come first.
index_t rank_of(std::span<float const> scores, index_t label) {
  float const own = scores[static_cast<std::size_t>(label)];
  index_t rank = 0;
  for (index_t k = 0; k < std::ssize(scores); ++k) {
    float const other = scores[static_cast<std::size_t>(k)];
    if (other > own || (other == own && k < label)) ++rank;
  }
  return rank;
}

/// Sums up a confusion matrix (K, K) class by class.
void measure(class_metrics& found, index_t classes) {
  auto const at = [&](index_t row, index_t column) {
    return static_cast<double>(found.confusion[static_cast<std::size_t>(row * classes + column)]);
  };
  double present = 0;
  for (index_t k = 0; k < classes; ++k) {
    double own = 0;
    double predicted = 0;
    for (index_t i = 0; i < classes; ++i) {
      own += at(k, i);
      predicted += at(i, k);
    }
    if (own == 0) continue;
    present += 1;
    found.balanced_accuracy += at(k, k) / own;
    found.macro_f1 += 2 * at(k, k) / (own + predicted);
  }
  if (present == 0) return;
  found.balanced_accuracy /= present;
  found.macro_f1 /= present;
}

}  // namespace

index_t predicted_class(std::span<float const> scores) {
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

class_metrics measure_classes(mae::matrix_view<float const> scores,
                              std::span<index_t const> labels) {
  constexpr index_t five = 5;
  class_metrics found;
  index_t const classes = scores.cols;
  found.confusion.assign(static_cast<std::size_t>(classes * classes), 0);
  for (index_t i = 0; i < scores.rows; ++i) {
    index_t const label = labels[static_cast<std::size_t>(i)];
    if (label < 0) continue;
    index_t const rank = rank_of(scores.row(i), label);
    ++found.images;
    found.top1 += rank == 0 ? 1 : 0;
    found.top5 += rank < five ? 1 : 0;
    ++found.confusion[static_cast<std::size_t>(label * classes + predicted_class(scores.row(i)))];
  }
  if (found.images == 0) return found;
  found.top1 /= static_cast<double>(found.images);
  found.top5 /= static_cast<double>(found.images);
  measure(found, classes);
  return found;
}

std::string predictions_csv(mae::matrix_view<float const> scores, std::span<index_t const> labels) {
  constexpr double millionths = 1e6;
  std::string text = "image,class,predicted,probability\r\n";
  for (index_t i = 0; i < scores.rows; ++i) {
    auto const row = scores.row(i);
    index_t const predicted = predicted_class(row);
    double const highest = row[static_cast<std::size_t>(predicted)];
    double sum = 0;
    for (float const score : row) sum += std::exp(static_cast<double>(score) - highest);
    index_t const label = labels[static_cast<std::size_t>(i)];
    text += std::to_string(i) + ',' + (label < 0 ? "" : std::to_string(label)) + ',' +
            std::to_string(predicted) + ',' +
            mae::decimal_text(std::round(millionths / sum) / millionths) + "\r\n";
  }
  return text;
}

}  // namespace tools
