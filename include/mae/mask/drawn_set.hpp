#pragma once

#include <mae/core/types.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// The probability of a set that was drawn one by one without replacement, the next always in
/// proportion to its weight (the law of Plackett and Luce, summed over all orders).
///
/// Each weight is the rate of a clock; a set is drawn when all its clocks have rung before the
/// first of the others: P(S) = E[prod_{i in S} (1 - exp(-a_i t))], t exponential with rate 1, a_i
/// the weight over the sum of those outside. The integral is taken over log t by the trapezium
/// rule, whose error falls exponentially; relative error below 1e-6.
class drawn_set {
 public:
  /// `drawn`: weights of the set, `outside`: their sum outside it; positive and finite.
  drawn_set(std::span<double const> drawn, double outside) : rates_(drawn.begin(), drawn.end()) {
    for (double& rate : rates_) rate /= outside;
    slopes_.resize(rates_.size());
    integrate();
  }

  double log_probability() const { return log_probability_; }
  /// d log P / d log weight of each of the set. Of one outside it is minus its share of the sum
  /// outside, times the sum of these.
  std::span<double const> slopes() const { return slopes_; }

 private:
  /// d/dx of the integrand's logarithm at t = e^x, and d/dx of that.
  struct steepness {
    double first = 0;
    double second = 0;
  };
  steepness steepness_at(double t) const {
    steepness at{1 - t, -t};
    for (double const rate : rates_) {
      double const z = rate * t;
      double const falls = std::expm1(-z);            // -(1 - e^-z)
      double const share = z * (1 + falls) / -falls;  // z / (e^z - 1)
      at.first += share;
      at.second += share * (1 - z / -falls);
    }
    return at;
  }

  /// Where the integrand over log t is highest: it is log-concave there.
  double find_peak() const {
    auto t = static_cast<double>(rates_.size() + 1);  // not below it
    for (int i = 0; i < 100; ++i) {
      auto const at = steepness_at(t);
      double const move = at.first / at.second;
      t *= std::exp(-std::fmax(-2, std::fmin(2, move)));
      if (std::abs(move) < 1e-6) break;
    }
    return t;
  }

  double log_integrand(double t) const {
    double sum = std::log(t) - t;
    for (double const rate : rates_) sum += std::log(-std::expm1(-rate * t));
    return sum;
  }

  void integrate() {
    constexpr double negligible = 40;  // e^-40
    double const peak = find_peak();
    double const step = std::fmin(0.5, 0.8 / std::sqrt(-steepness_at(peak).second));
    double const highest = log_integrand(peak);
    double sum = 0;
    auto const add = [&](double t) {
      double const height = log_integrand(t) - highest;
      if (height < -negligible) return false;
      double const part = std::exp(height);
      sum += part;
      for (std::size_t i = 0; i < rates_.size(); ++i)
        slopes_[i] += part * rates_[i] * t / std::expm1(rates_[i] * t);
      return true;
    };
    add(peak);
    for (double const direction : {1.0, -1.0})
      for (int i = 1; add(peak * std::exp(direction * step * i));) ++i;
    for (double& slope : slopes_) slope /= sum;
    log_probability_ = highest + std::log(sum * step);
  }

  std::vector<double> rates_, slopes_;
  double log_probability_ = 0;
};

}  // namespace mae
