#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/series.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// Throws config_error unless levels of quantiles rise in (0, 1).
inline void require_levels(std::span<double const> levels) {
  bool rises = !levels.empty();
  for (std::size_t i = 0; i < levels.size(); ++i)
    rises = rises && levels[i] > 0 && levels[i] < 1 && (i == 0 || levels[i] > levels[i - 1]);
  if (!rises) throw config_error("quantiles must rise, and lie between 0 and 1: 0.1,0.5,0.9");
}

/// Quantiles of what is to come, around any forecast: its own errors in windows that it has not
/// learnt from, by variable and by how far ahead they lie, are added to it (split conformal
/// prediction: Vovk et al. 2005; Lei et al. 2018). They are as honest as these windows are like
/// what comes.
class error_quantiles {
 public:
  /// `plan` tells windows before those that are to be graded, and `said` what was forecast of them,
  /// (variables, windows, horizon); errors of neighbouring steps of the horizon count together.
  /// Throws config_error unless levels rise in (0, 1), where the series is too short, and for
  /// another number of values.
  error_quantiles(series const& s,
                  backtest_plan const& plan,
                  std::span<double const> said,
                  std::vector<double> levels)
      : levels_(checked(std::move(levels))), horizon_(plan.horizon) {
    require_room(plan, s.length(), "the quantiles' own backtest");
    detail::require_said(said.size(), plan.windows * s.variables(), plan.horizon);
    index_t const reach = std::max<index_t>(1, horizon_ / 16);
    for (index_t v = 0; v < s.variables(); ++v) {
      auto const values = s.variable(v);
      auto const own = said.subspan(static_cast<std::size_t>(v * plan.windows * horizon_));
      for (index_t h = 0; h < horizon_; ++h) {
        std::vector<double> errors;
        for (index_t i = 0; i < plan.windows; ++i)
          for (index_t k = std::max<index_t>(0, h - reach); k < std::min(horizon_, h + reach + 1);
               ++k) {
            double const truth = values[static_cast<std::size_t>(plan.origin(s.length(), i) + k)];
            if (!std::isnan(truth))
              errors.push_back(truth - own[static_cast<std::size_t>(i * horizon_ + k)]);
          }
        std::sort(errors.begin(), errors.end());
        for (double const level : levels_) offsets_.push_back(quantile(errors, level));
      }
    }
  }
  /// Of what a way to forecast says. Throws what it throws.
  error_quantiles(series const& s,
                  backtest_plan const& plan,
                  window_forecast const& forecast,
                  std::vector<double> levels)
      : error_quantiles(s, plan, said_in(s, plan, forecast), std::move(levels)) {}

  std::vector<double> const& levels() const { return levels_; }
  /// What is added to a forecast for its quantile of a level; NaN where no error is known.
  double offset(index_t variable, index_t step, std::size_t level) const {
    return offsets_[static_cast<std::size_t>(variable * horizon_ + step) * levels_.size() + level];
  }

  /// The quantiles (levels, variables, windows, horizon) of what was said, (variables, windows,
  /// horizon); NaN where there are none.
  std::vector<double> around(std::span<double const> said, index_t windows) const {
    std::vector<double> found;
    for (std::size_t level = 0; level < levels_.size(); ++level)
      for (index_t i = 0; i < std::ssize(said); ++i)
        found.push_back(said[static_cast<std::size_t>(i)] +
                        offset(i / horizon_ / windows, i % horizon_, level));
    return found;
  }

 private:
  static std::vector<double> said_in(series const& s,
                                     backtest_plan const& plan,
                                     window_forecast const& forecast) {
    require_room(plan, s.length(), "the quantiles' own backtest");
    return said_of_each(s, plan, forecast);
  }
  static std::vector<double> checked(std::vector<double> levels) {
    require_levels(levels);
    return levels;
  }
  /// Of sorted errors, linear between two.
  static double quantile(std::span<double const> errors, double level) {
    if (errors.empty()) return std::numeric_limits<double>::quiet_NaN();
    double const place = level * static_cast<double>(errors.size() - 1);
    auto const low = static_cast<std::size_t>(place);
    std::size_t const high = std::min(low + 1, errors.size() - 1);
    double const share = place - static_cast<double>(low);
    return (1 - share) * errors[low] + share * errors[high];
  }

  std::vector<double> levels_;
  index_t horizon_;
  std::vector<double> offsets_;  // (variables, horizon, levels)
};

/// How good quantiles are, where there are some; NaN where there is none with a truth.
struct quantile_scores {
  double wql = 0;       // twice the quantile loss by the sum of |truth|, the mean over levels
  double coverage = 0;  // the share of truths between the lowest and the highest quantile
  index_t values = 0;   // that have both
};

/// Makes the quantiles of several ways to forecast, of the same windows, comparable: each (levels,
/// variables, windows, horizon), or empty, which is left out. A value that one of them has none for
/// (NaN) loses those of all.
inline void keep_common(std::span<std::vector<double>> quantiles) {
  for (auto const& own : quantiles)
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (!std::isnan(own[i])) continue;
      for (auto& other : quantiles)
        if (!other.empty()) other[i] = own[i];
    }
}

/// Grades quantiles (levels, variables, windows, horizon) on the windows of a plan. Throws
/// config_error where the series is too short, and for another number of values.
inline quantile_scores grade_quantiles(series const& s,
                                       backtest_plan const& plan,
                                       std::span<double const> levels,
                                       std::span<double const> quantiles) {
  require_room(plan, s.length());
  detail::require_said(
      quantiles.size(), std::ssize(levels) * s.variables() * plan.windows, plan.horizon);
  double loss = 0;
  double sizes = 0;
  double inside = 0;
  index_t count = 0;
  index_t const values = s.variables() * plan.windows * plan.horizon;
  auto const at = [&](std::size_t level, index_t value) {
    return quantiles[level * static_cast<std::size_t>(values) + static_cast<std::size_t>(value)];
  };
  for (index_t value = 0; value < values; ++value) {
    index_t const window = value / plan.horizon;
    double const truth = s.variable(window / plan.windows)[static_cast<std::size_t>(
        plan.origin(s.length(), window % plan.windows) + value % plan.horizon)];
    if (std::isnan(truth) || std::isnan(at(0, value))) continue;
    for (std::size_t k = 0; k < levels.size(); ++k) {
      double const off = truth - at(k, value);
      loss += 2 * std::max(levels[k] * off, (levels[k] - 1) * off);
    }
    sizes += std::abs(truth);
    ++count;
    if (truth >= at(0, value) && truth <= at(levels.size() - 1, value)) ++inside;
  }
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  if (count == 0) return {none, none};
  return {.wql = loss / (static_cast<double>(levels.size()) * std::max(sizes, 1e-300)),
          .coverage = inside / static_cast<double>(count),
          .values = count};
}
/// Those that errors give.
inline quantile_scores grade_quantiles(series const& s,
                                       backtest_plan const& plan,
                                       window_forecast const& forecast,
                                       error_quantiles const& quantiles) {
  require_room(plan, s.length());
  auto const said = said_of_each(s, plan, forecast);
  return grade_quantiles(s, plan, quantiles.levels(), quantiles.around(said, plan.windows));
}

}  // namespace mae
