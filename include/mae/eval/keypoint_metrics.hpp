#pragma once

#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/eval/place_predictions.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace mae {

/// How far found points are from those that are visible.
class keypoint_errors {
 public:
  explicit keypoint_errors(index_t points)
      : sums_(static_cast<std::size_t>(points)), counts_(static_cast<std::size_t>(points)) {}

  /// Of one image, both in the same pixels. The measure of PCK is the longer side of the box around
  /// the image's visible points; where they have none (one point, or all at one place) they count
  /// in no PCK.
  void add(std::span<keypoint const> truth, std::span<found_keypoint const> found) {
    assert(truth.size() == sums_.size() && found.size() == sums_.size());
    double const box = longer_side(truth);
    for (std::size_t j = 0; j < truth.size(); ++j) {
      if (!truth[j].visible) continue;
      double const error = std::hypot(static_cast<double>(truth[j].x) - found[j].x,
                                      static_cast<double>(truth[j].y) - found[j].y);
      errors_.push_back(error);
      sums_[j] += error;
      ++counts_[j];
      if (!(box > 0)) continue;
      ++measured_;
      within_5_ += error <= 0.05 * box ? 1 : 0;
      within_10_ += error <= 0.1 * box ? 1 : 0;
    }
  }

  /// Visible points.
  index_t points() const { return std::ssize(errors_); }
  /// The mean distance; 0 without a point.
  double mean() const {
    double sum = 0;
    for (double const error : errors_) sum += error;
    return sum / static_cast<double>(std::max<index_t>(points(), 1));
  }
  double median() const {
    if (errors_.empty()) return 0;
    auto sorted = errors_;
    auto const middle = sorted.begin() + std::ssize(sorted) / 2;
    std::ranges::nth_element(sorted, middle);
    return *middle;
  }
  /// Of each point, NaN where it is nowhere visible.
  std::vector<double> mean_of_each() const {
    std::vector<double> means;
    for (std::size_t j = 0; j < sums_.size(); ++j)
      means.push_back(counts_[j] > 0 ? sums_[j] / static_cast<double>(counts_[j])
                                     : std::numeric_limits<double>::quiet_NaN());
    return means;
  }
  /// The share of visible points found within so many twentieths of the box: PCK at 0.05 and 0.1.
  double pck_5() const { return share(within_5_); }
  double pck_10() const { return share(within_10_); }

 private:
  static double longer_side(std::span<keypoint const> points) {
    float left = std::numeric_limits<float>::max();
    float top = left;
    float right = std::numeric_limits<float>::lowest();
    float bottom = right;
    for (auto const& point : points) {
      if (!point.visible) continue;
      left = std::min(left, point.x);
      right = std::max(right, point.x);
      top = std::min(top, point.y);
      bottom = std::max(bottom, point.y);
    }
    return right < left ? 0 : static_cast<double>(std::max(right - left, bottom - top));
  }
  double share(index_t count) const {
    return static_cast<double>(count) / static_cast<double>(std::max<index_t>(measured_, 1));
  }

  std::vector<double> errors_;
  std::vector<double> sums_;     // (J)
  std::vector<index_t> counts_;  // (J)
  index_t measured_ = 0;
  index_t within_5_ = 0;
  index_t within_10_ = 0;
};

}  // namespace mae
