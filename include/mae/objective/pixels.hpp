#pragma once

#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/objective/objective.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>

namespace mae {

/// Predicts the pixels of a patch, in the network's input units.
struct pixels {
  constexpr index_t target_width(model_config const& config) const { return config.patch_values(); }

  template <class T>
  void target(model_config const& /*config*/,
              matrix_view<T const> patches,
              std::span<patch_index const> rows,
              matrix_view<T> targets) const {
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::ranges::copy(patches.row(rows[i]), targets.row(static_cast<index_t>(i)).begin());
  }

  /// From predictions (rows, P) to `painted` (rows, P), in the network's input units: they are that
  /// already.
  template <class T>
  void to_pixels(matrix_view<T const> /*patches*/,
                 std::span<patch_index const> rows,
                 matrix_view<T const> predictions,
                 matrix_view<T> painted) const {
    for (index_t i = 0; i < std::ssize(rows); ++i)
      std::ranges::copy(predictions.row(i), painted.row(i).begin());
  }

  settings_list settings() const { return {{"objective", "pixels"}}; }
};
static_assert(Objective<pixels>);

/// Predicts the pixels of a patch after (x - mean) / sqrt(variance + epsilon) over its own P
/// values, the variance unbiased (He et al. 2021, section 4.1 and the official code's
/// norm_pix_loss).
///
/// On 8-bit images rounding alone has a variance near 2e-5 of the input's, so that flat patches
/// become pure noise with the official epsilon; 4e-3 is about four grey levels.
struct normalised_pixels {
  double epsilon = 1e-6;

  constexpr index_t target_width(model_config const& config) const { return config.patch_values(); }

  template <class T>
  void target(model_config const& /*config*/,
              matrix_view<T const> patches,
              std::span<patch_index const> rows,
              matrix_view<T> targets) const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const patch = patches.row(rows[i]);
      auto const [mean, deviation] = moments(patch);
      auto const out = targets.row(static_cast<index_t>(i));
      for (std::size_t k = 0; k < patch.size(); ++k)
        out[k] = static_cast<T>((static_cast<double>(patch[k]) - mean) / deviation);
    }
  }

  /// From predictions (rows, P) to `painted` (rows, P) in the network's input units, by the true
  /// patches' mean and deviation (as the official demonstration does: only the normalised content
  /// is predicted).
  template <class T>
  void to_pixels(matrix_view<T const> patches,
                 std::span<patch_index const> rows,
                 matrix_view<T const> predictions,
                 matrix_view<T> painted) const {
    for (index_t i = 0; i < std::ssize(rows); ++i) {
      auto const [mean, deviation] = moments(patches.row(rows[static_cast<std::size_t>(i)]));
      for (index_t k = 0; k < painted.cols; ++k)
        painted(i, k) = static_cast<T>(static_cast<double>(predictions(i, k)) * deviation + mean);
    }
  }

  settings_list settings() const {
    return {{"objective", "normalised"}, {"target_epsilon", decimal_text(epsilon)}};
  }

 private:
  template <class T>
  std::pair<double, double> moments(std::span<T const> patch) const {
    double sum = 0;
    for (T const x : patch) sum += static_cast<double>(x);
    double const mean = sum / static_cast<double>(patch.size());
    double squares = 0;
    for (T const x : patch) {
      double const difference = static_cast<double>(x) - mean;
      squares += difference * difference;
    }
    // A patch of one value has no unbiased variance: it counts as flat.
    double const freedom = std::max(1.0, static_cast<double>(patch.size()) - 1.0);
    return {mean, std::sqrt(squares / freedom + epsilon)};
  }
};
static_assert(Objective<normalised_pixels>);

}  // namespace mae
