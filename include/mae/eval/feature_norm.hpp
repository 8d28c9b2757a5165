#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace mae {

/// Sums over some images' features: what their mean and variance are made of. In double, so that
/// the difference of squares loses nothing that the floats had.
struct feature_sums {
  explicit feature_sums(index_t features) : values(features), squares(features) {}

  void clear() {
    for (double& value : values.span()) value = 0.0;
    for (double& square : squares.span()) square = 0.0;
  }
  template <class T>
  void add(std::span<T const> features) {
    for (index_t j = 0; j < values.size(); ++j) {
      double const value = static_cast<float>(features[static_cast<std::size_t>(j)]);
      values[j] += value;
      squares[j] += value * value;
    }
  }
  void add(feature_sums const& other) {
    for (index_t j = 0; j < values.size(); ++j) {
      values[j] += other.values[j];
      squares[j] += other.squares[j];
    }
  }

  host_buffer<double> values;   // (F)
  host_buffer<double> squares;  // (F)
};

/// Maps every feature to (value - mean) / deviation.
struct feature_scaling {
  explicit feature_scaling(index_t features) : mean(features), inverse_deviation(features) {}

  /// `in` and `out` (F). Computed in float, so that every backend sees the same values.
  template <class In, class T>
  void apply(std::span<In const> in, std::span<T> out) const {
    In const* const x = in.data();
    T* __restrict const y = out.data();
    for (index_t j = 0; j < mean.size(); ++j)
      y[j] = (static_cast<float>(x[j]) - mean[j]) * inverse_deviation[j];
  }

  host_buffer<float> mean;               // (F)
  host_buffer<float> inverse_deviation;  // (F)
};

/// Batch normalisation without an affine part, as PyTorch's BatchNorm1d(affine=False, eps=1e-6,
/// momentum=0.1): batches are normalised by their own statistics, of which a running mean is kept
/// for the time after training.
class feature_norm {
 public:
  explicit feature_norm(index_t features)
      : running_mean_(features), running_variance_(features), batch_(features) {
    for (double& variance : running_variance_.span()) variance = 1.0;
  }

  /// Takes a batch of `count` >= 2 rows into the running statistics and returns its own scaling,
  /// valid until the next call.
  feature_scaling const& observe(feature_sums const& sums, index_t count) {
    auto const images = static_cast<double>(count);
    for (index_t j = 0; j < running_mean_.size(); ++j) {
      double const mean = sums.values[j] / images;
      double const variance = std::max(0.0, sums.squares[j] / images - mean * mean);
      double const unbiased = variance * images / (images - 1.0);
      set(batch_, j, mean, variance);
      running_mean_[j] += momentum * (mean - running_mean_[j]);
      running_variance_[j] += momentum * (unbiased - running_variance_[j]);
    }
    return batch_;
  }

  /// The scaling by the running statistics.
  feature_scaling running() const {
    feature_scaling scaling(running_mean_.size());
    for (index_t j = 0; j < running_mean_.size(); ++j)
      set(scaling, j, running_mean_[j], running_variance_[j]);
    return scaling;
  }
  std::span<double const> running_mean() const { return running_mean_.span(); }
  std::span<double const> running_variance() const { return running_variance_.span(); }

 private:
  static constexpr double epsilon = 1e-6;
  static constexpr double momentum = 0.1;

  static void set(feature_scaling& scaling, index_t feature, double mean, double variance) {
    scaling.mean[feature] = static_cast<float>(mean);
    scaling.inverse_deviation[feature] = static_cast<float>(1.0 / std::sqrt(variance + epsilon));
  }

  host_buffer<double> running_mean_;      // (F)
  host_buffer<double> running_variance_;  // (F)
  feature_scaling batch_;
};

}  // namespace mae
