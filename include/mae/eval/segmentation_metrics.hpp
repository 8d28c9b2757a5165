#pragma once

#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mae {

/// How often pixels of each class were given each class.
class pixel_confusion {
 public:
  explicit pixel_confusion(index_t classes)
      : classes_(classes), counts_(static_cast<std::size_t>(classes * classes)) {}

  /// Of pixels that have a class; both below the number of classes.
  void add(std::span<std::uint8_t const> truth, std::span<std::uint8_t const> predicted) {
    assert(truth.size() == predicted.size());
    for (std::size_t i = 0; i < truth.size(); ++i)
      if (truth[i] != unlabelled_pixel)
        ++counts_[static_cast<std::size_t>(truth[i] * classes_ + predicted[i])];
  }

  index_t classes() const { return classes_; }
  index_t operator()(index_t truth, index_t predicted) const {
    return counts_[static_cast<std::size_t>(truth * classes_ + predicted)];
  }
  index_t pixels() const {
    index_t sum = 0;
    for (index_t const count : counts_) sum += count;
    return sum;
  }
  /// The share of pixels whose class was found.
  double accuracy() const {
    index_t right = 0;
    for (index_t k = 0; k < classes_; ++k) right += (*this)(k, k);
    return static_cast<double>(right) / static_cast<double>(std::max<index_t>(pixels(), 1));
  }
  /// A class's pixels found, over those that have it or were given it; nothing where there are
  /// none.
  std::optional<double> iou(index_t of) const {
    index_t either = -(*this)(of, of);
    for (index_t k = 0; k < classes_; ++k) either += (*this)(of, k) + (*this)(k, of);
    if (either == 0) return std::nullopt;
    return static_cast<double>((*this)(of, of)) / static_cast<double>(either);
  }
  /// The mean over all classes that are or were said to be somewhere.
  double mean_iou() const {
    double sum = 0;
    index_t count = 0;
    for (index_t k = 0; k < classes_; ++k)
      if (auto const one = iou(k)) {
        sum += *one;
        ++count;
      }
    return sum / static_cast<double>(std::max<index_t>(count, 1));
  }
  /// Of all classes but 0 as one, nothing where there are none.
  std::optional<double> foreground_iou() const {
    index_t both = 0;
    index_t either = 0;
    for (index_t truth = 0; truth < classes_; ++truth)
      for (index_t predicted = 0; predicted < classes_; ++predicted) {
        if (truth > 0 && predicted > 0) both += (*this)(truth, predicted);
        if (truth > 0 || predicted > 0) either += (*this)(truth, predicted);
      }
    if (either == 0) return std::nullopt;
    return static_cast<double>(both) / static_cast<double>(either);
  }
  std::vector<index_t> const& counts() const { return counts_; }

 private:
  index_t classes_;
  std::vector<index_t> counts_;  // (K, K), row: the class
};

}  // namespace mae
