#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <vector>

namespace mae {

/// What becomes of values that stand closer than the samples that are taken of them: with
/// `averaged` all of them count (the kernel is as wide as the samples lie apart, as Pillow's), with
/// `picked` the two nearest alone, as in PyTorch without antialiasing.
enum class shrinking : unsigned char { averaged, picked };

/// Linear interpolation along one axis, places at the middle of pixels: sample i of `outputs` is
/// the sum over k of weight(i, k) * value[start(i) + k].
class line_resampler {
 public:
  /// Both sizes positive.
  line_resampler(index_t inputs, index_t outputs, shrinking how)
      : starts_(static_cast<std::size_t>(outputs)) {
    double const scale = static_cast<double>(inputs) / static_cast<double>(outputs);
    double const reach = how == shrinking::averaged ? std::max(scale, 1.0) : 1.0;
    taps_ = std::min(inputs, static_cast<index_t>(std::ceil(2 * reach)));
    weights_.resize(static_cast<std::size_t>(outputs * taps_));
    for (index_t i = 0; i < outputs; ++i) {
      double const centre = (static_cast<double>(i) + 0.5) * scale;
      auto const first = static_cast<index_t>(std::floor(centre - reach - 0.5)) + 1;
      index_t const start = std::clamp(first, index_t{0}, inputs - taps_);
      starts_[static_cast<std::size_t>(i)] = start;
      double* const weights = weights_.data() + i * taps_;
      double sum = 0;
      for (index_t k = 0; k < taps_; ++k) {
        double const distance = static_cast<double>(start + k) + 0.5 - centre;
        weights[k] = std::max(0.0, 1 - std::abs(distance) / reach);
        sum += weights[k];
      }
      for (index_t k = 0; k < taps_; ++k) weights[k] /= sum;
    }
  }

  index_t outputs() const { return std::ssize(starts_); }
  index_t taps() const { return taps_; }
  index_t start(index_t output) const { return starts_[static_cast<std::size_t>(output)]; }
  double weight(index_t output, index_t tap) const {
    return weights_[static_cast<std::size_t>(output * taps_ + tap)];
  }

 private:
  index_t taps_ = 0;
  std::vector<index_t> starts_;  // (outputs)
  std::vector<double> weights_;  // (outputs, taps)
};

/// Samples of `plane` (down.inputs, right.inputs), of which the columns before `begin` may be left
/// out: columns [first, first + count) of the resampled picture (down.outputs, right.outputs).
/// Returns (down.outputs, count).
inline std::vector<double> resample_columns(matrix_view<double const> plane,
                                            line_resampler const& down,
                                            line_resampler const& right,
                                            index_t first,
                                            index_t count,
                                            index_t begin = 0) {
  assert(first >= 0 && first + count <= right.outputs());
  index_t const rows = down.outputs();
  std::vector<double> wide(static_cast<std::size_t>(plane.rows * count));
  for (index_t y = 0; y < plane.rows; ++y)
    for (index_t x = 0; x < count; ++x) {
      double sum = 0;
      for (index_t k = 0; k < right.taps(); ++k)
        sum += right.weight(first + x, k) * plane(y, right.start(first + x) - begin + k);
      wide[static_cast<std::size_t>(y * count + x)] = sum;
    }
  std::vector<double> samples(static_cast<std::size_t>(rows * count));
  for (index_t y = 0; y < rows; ++y)
    for (index_t k = 0; k < down.taps(); ++k) {
      double const weight = down.weight(y, k);
      double const* const row = wide.data() + (down.start(y) + k) * count;
      double* const to = samples.data() + y * count;
      for (index_t x = 0; x < count; ++x) to[x] += weight * row[x];
    }
  return samples;
}

}  // namespace mae
