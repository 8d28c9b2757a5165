#include "class_metrics.hpp"

#include <mae/core/settings.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>

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

/// The softmax's, of the class that is predicted.
double predicted_probability(std::span<float const> scores) {
  double const highest = scores[static_cast<std::size_t>(predicted_class(scores))];
  double sum = 0;
  for (float const score : scores) sum += std::exp(static_cast<double>(score) - highest);
  return 1 / sum;
}

std::vector<index_t> surest_examples(confused_pair const& pair,
                                     mae::matrix_view<float const> scores,
                                     std::span<index_t const> labels,
                                     std::size_t most) {
  std::vector<std::pair<double, index_t>> found;  // the less sure the larger
  for (index_t i = 0; i < scores.rows; ++i)
    if (labels[static_cast<std::size_t>(i)] == pair.truth &&
        predicted_class(scores.row(i)) == pair.predicted)
      found.emplace_back(-predicted_probability(scores.row(i)), i);
  std::ranges::sort(found);
  found.resize(std::min(found.size(), most));
  std::vector<index_t> images;
  for (auto const& example : found) images.push_back(example.second);
  return images;
}

}  // namespace

std::vector<confused_pair> most_confused(class_metrics const& found,
                                         mae::matrix_view<float const> scores,
                                         std::span<index_t const> labels,
                                         std::size_t most_pairs,
                                         std::size_t most_examples) {
  std::vector<confused_pair> pairs;
  index_t const classes = scores.cols;
  for (std::size_t at = 0; at < found.confusion.size(); ++at) {
    auto const cell = static_cast<index_t>(at);
    if (found.confusion[at] > 0 && cell / classes != cell % classes)
      pairs.push_back({cell / classes, cell % classes, found.confusion[at], {}});
  }
  std::ranges::stable_sort(pairs, std::greater{}, &confused_pair::images);
  pairs.resize(std::min(pairs.size(), most_pairs));
  for (auto& pair : pairs) pair.examples = surest_examples(pair, scores, labels, most_examples);
  return pairs;
}

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
    index_t const label = labels[static_cast<std::size_t>(i)];
    text += std::to_string(i) + ',' + (label < 0 ? "" : std::to_string(label)) + ',' +
            std::to_string(predicted_class(row)) + ',' +
            mae::decimal_text(std::round(millionths * predicted_probability(row)) / millionths) +
            "\r\n";
  }
  return text;
}

}  // namespace tools
