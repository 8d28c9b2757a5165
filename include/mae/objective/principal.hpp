#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/objective/objective.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// The principal components of patches but for the first ones: fit_principal_components makes them,
/// and a file keeps them.
struct principal_basis {
  std::vector<float> mean;        // (P), in the network's input units
  std::vector<float> components;  // (K, P), orthonormal rows by falling variance
  std::vector<float> variances;   // (P), of all of them, those left out too
  index_t patches = 0;            // that they were fitted on
};

/// Predicts a patch's coordinates along principal components of patches, but for the first ones:
/// most of what pixels differ by is brightness and slow shading, which says least about what is
/// shown (Balestriero and LeCun 2024, arXiv 2402.11337). All are divided by one number, by which
/// the mean square of a target is 1 over the patches of the fit.
class principal_components {
 public:
  /// Throws config_error for a basis whose sizes do not agree, that is not finite, or along whose
  /// components nothing varies.
  explicit principal_components(principal_basis basis) : basis_(std::move(basis)) {
    index_t const values = std::ssize(basis_.mean);
    index_t const all = std::ssize(basis_.components);
    if (values == 0 || all == 0 || all % values != 0 || all / values > values ||
        std::ssize(basis_.variances) != values)
      throw config_error("principal components: mean, components and variances do not agree");
    kept_ = all / values;
    auto const is_finite = [](float value) { return std::isfinite(value); };
    if (!std::ranges::all_of(basis_.mean, is_finite) ||
        !std::ranges::all_of(basis_.components, is_finite) ||
        !std::ranges::all_of(basis_.variances, is_finite))
      throw config_error("principal components: a value is not finite");
    double const variance =
        std::accumulate(basis_.variances.begin() + dropped(), basis_.variances.end(), 0.0) /
        static_cast<double>(kept_);
    if (!(variance > 0))
      throw config_error("principal components: nothing varies along those that are kept");
    scale_ = 1 / std::sqrt(variance);
    by_value_.resize(basis_.components.size());
    for (index_t k = 0; k < kept_; ++k)
      for (index_t p = 0; p < values; ++p) by_value_[at(p * kept_ + k)] = component(k)[at(p)];
  }

  principal_basis const& basis() const { return basis_; }
  /// How many of the first components are left out.
  index_t dropped() const { return std::ssize(basis_.mean) - kept_; }
  /// Their share of the variance.
  double dropped_share() const {
    auto const& variances = basis_.variances;
    double const all = std::accumulate(variances.begin(), variances.end(), 0.0);
    return std::accumulate(variances.begin(), variances.begin() + dropped(), 0.0) / all;
  }

  /// Throws config_error for patches of another number of values than the components.
  index_t target_width(model_config const& config) const {
    if (config.patch_values() != std::ssize(basis_.mean))
      throw config_error("principal components of patches of " +
                         std::to_string(basis_.mean.size()) + " values for a model of patches of " +
                         std::to_string(config.patch_values()));
    return kept_;
  }

  template <class T>
  void target(model_config const& /*config*/,
              matrix_view<T const> patches,
              std::span<patch_index const> rows,
              matrix_view<T> targets) const {
    // Several patches at a time, so that a row of the matrix is read once for them.
    constexpr std::size_t together = 8;
    auto const scale = static_cast<T>(scale_);
    for (std::size_t first = 0; first < rows.size(); first += together) {
      std::size_t const last = std::min(rows.size(), first + together);
      for (std::size_t i = first; i < last; ++i)
        std::ranges::fill(targets.row(static_cast<index_t>(i)), T{0});
      for (std::size_t p = 0; p < basis_.mean.size(); ++p) {
        float const* const weights = by_value_.data() + p * at(kept_);
        for (std::size_t i = first; i < last; ++i) {
          T const value = scale * (patches.row(rows[i])[p] - static_cast<T>(basis_.mean[p]));
          T* const target = targets.row(static_cast<index_t>(i)).data();
          for (index_t k = 0; k < kept_; ++k) target[k] += value * static_cast<T>(weights[k]);
        }
      }
    }
  }

  /// From predictions (rows, K) to `pixels` (rows, P) in the network's input units. What was left
  /// out is the true patch's.
  template <class T>
  void to_pixels(matrix_view<T const> patches,
                 std::span<patch_index const> rows,
                 matrix_view<T const> predictions,
                 matrix_view<T> pixels) const {
    std::vector<T> of_patch(at(kept_));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const row = static_cast<index_t>(i);
      target<T>({}, patches, rows.subspan(i, 1), {of_patch.data(), 1, kept_});
      auto const painted = pixels.row(row);
      std::ranges::copy(patches.row(rows[i]), painted.begin());
      for (index_t k = 0; k < kept_; ++k) {
        T const difference = (predictions(row, k) - of_patch[at(k)]) / static_cast<T>(scale_);
        auto const along = component(k);
        for (std::size_t p = 0; p < painted.size(); ++p)
          painted[p] += difference * static_cast<T>(along[p]);
      }
    }
  }

  settings_list settings() const {
    return {{"objective", "principal"},
            {"principal_dropped", std::to_string(dropped())},
            {"principal_patches", std::to_string(basis_.patches)}};
  }
  /// What a file keeps beside the settings.
  std::vector<objective_tensor> tensors() const {
    index_t const values = std::ssize(basis_.mean);
    return {{"mean", {values}, basis_.mean},
            {"components", {kept_, values}, basis_.components},
            {"variances", {values}, basis_.variances}};
  }

 private:
  static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
  std::span<float const> component(index_t k) const {
    std::size_t const values = basis_.mean.size();
    return std::span(basis_.components).subspan(at(k) * values, values);
  }

  principal_basis basis_;
  index_t kept_ = 0;             // K
  double scale_ = 1;             // of targets
  std::vector<float> by_value_;  // (P, K): the components, to multiply by
};
static_assert(Objective<principal_components>);

}  // namespace mae
