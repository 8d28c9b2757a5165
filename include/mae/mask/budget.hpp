#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Gates in (0, 1) whose sum is a budget: g_i = 1 / (1 + exp(t - s_i)), where the threshold t is
/// the one number for which they amount to it. All in double, serial: the same bits everywhere.
class budgeted_gates {
 public:
  /// `logits` (N), which differ by no more than 500, so that no gate rounds to 0. Throws
  /// config_error for a logit that is not finite and for a budget outside [1, N - 1].
  budgeted_gates(std::span<double const> logits, index_t budget)
      : logits_(logits.begin(), logits.end()) {
    auto const patches = static_cast<index_t>(logits.size());
    if (budget < 1 || budget > patches - 1)
      throw config_error("gates of " + std::to_string(patches) + " patches cannot amount to " +
                         std::to_string(budget) + ": at least 1 and at most all but 1 are visible");
    for (double const logit : logits_)
      if (!std::isfinite(logit)) throw config_error("gates of logits that are not finite");
    solve(static_cast<double>(budget));
  }

  double threshold() const { return threshold_; }
  std::span<double const> gates() const { return gates_; }    // (N)
  std::span<double const> closed() const { return closed_; }  // 1 - g, exact where g is near 1
  /// By how much a logit lies above the threshold.
  double above(std::size_t i) const { return logits_[i] - threshold_; }

  /// Turns g (1 - g) times an objective's slopes by the gates into its slopes by the logits: the
  /// threshold moves so that the sum stays.
  void move_threshold(std::span<double> slopes) const {
    double all = 0;
    double steepness = 0;
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      all += slopes[i];
      steepness += gates_[i] * closed_[i];
    }
    for (std::size_t i = 0; i < slopes.size(); ++i)
      slopes[i] -= gates_[i] * closed_[i] / steepness * all;
  }

 private:
  /// Newton's steps, within a bracket that every step narrows: at its ends all gates are on one
  /// side of the budget's share.
  void solve(double budget) {
    constexpr int most = 200;
    auto const patches = static_cast<double>(logits_.size());
    double const even = std::log(budget / (patches - budget));
    auto const [least, greatest] = std::minmax_element(logits_.begin(), logits_.end());
    double low = *least - even;
    double high = *greatest - even;
    threshold_ = low;
    if (low < high) {
      double mean = 0;
      for (double const logit : logits_) mean += logit / patches;
      threshold_ = mean - even;
    }
    for (int i = 0; i < most; ++i) {
      auto const [sum, slope] = evaluate();
      double const excess = sum - budget;
      if (std::abs(excess) <= 1e-13 * patches || !(low < high)) return;
      (excess > 0 ? low : high) = threshold_;
      double const newton = threshold_ + excess / slope;
      double const next = newton > low && newton < high ? newton : low + (high - low) / 2;
      if (next == threshold_) return;
      threshold_ = next;
    }
  }

  struct sums {
    double gates = 0;
    double steepness = 0;  // d gates / d logits
  };
  sums evaluate() {
    gates_.resize(logits_.size());
    closed_.resize(logits_.size());
    sums all;
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      double const small = std::exp(-std::abs(above(i)));
      double const larger = 1 / (1 + small);
      double const smaller = small * larger;
      gates_[i] = above(i) > 0 ? larger : smaller;
      closed_[i] = above(i) > 0 ? smaller : larger;
      all.gates += gates_[i];
      all.steepness += gates_[i] * closed_[i];
    }
    return all;
  }

  std::vector<double> logits_;
  std::vector<double> gates_, closed_;
  double threshold_ = 0;
};

}  // namespace mae
