#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/series/at_once.hpp>
#include <mae/series/series.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// A way to forecast windows of a variable: from (windows, context) to (windows, horizon). It is
/// called several times of a variable, the first variable first, each time with the windows of a
/// plan that follow those of the call before: as many as 4 million values of context and horizon
/// are, 4096 at most, and one at least.
using window_forecast =
    std::function<std::vector<double>(index_t variable, matrix_view<double const> contexts)>;

/// Windows at a series' end, whose forecasts are compared with what came.
struct backtest_plan {
  index_t context = 0;
  index_t horizon = 0;
  index_t period = 1;   // of the errors that MASE counts in
  index_t windows = 0;  // the last ends with the series
  index_t stride = 0;   // from a window to the next; 0: the horizon
  /// Values, from the first on, whose deviations errors are counted in; 0: all before the windows.
  index_t unit_values = 0;

  index_t step() const { return stride > 0 ? stride : horizon; }
  /// Where the first window's forecast begins; what lies before may be learnt from.
  index_t first_origin(index_t length) const { return length - horizon - (windows - 1) * step(); }
  index_t units(index_t length) const {
    return unit_values > 0 ? std::min(unit_values, first_origin(length)) : first_origin(length);
  }
  index_t origin(index_t length, index_t window) const {
    return first_origin(length) + window * step();
  }
};

/// Means over variables, windows and the horizon's values that are known; NaN of none. Units are
/// each variable's deviation in the part before the first origin.
struct backtest_scores {
  double mse = 0;
  double mae = 0;
  double mase = 0;  // of the error of the value a period before, in that part
  index_t values = 0;
};

/// Throws config_error where the series is too short for the windows, which are `what`.
inline void require_room(backtest_plan const& plan,
                         index_t length,
                         std::string const& what = "a backtest") {
  index_t const least = plan.context + 2 * plan.horizon;
  if (plan.first_origin(length) < least)
    throw config_error(what + " of " + std::to_string(plan.windows) + " windows, each " +
                       std::to_string(plan.step()) + " values after the other, of " +
                       std::to_string(plan.context) + " values that are seen and " +
                       std::to_string(plan.horizon) + " that are forecast, leaves " +
                       std::to_string(std::max<index_t>(plan.first_origin(length), 0)) +
                       " values before it, and needs " + std::to_string(least) +
                       ": a shorter context or horizon, or fewer windows");
}

namespace detail {

/// What the errors of a variable are counted in.
struct error_units {
  double deviation = 1;
  double naive = 1;  // the mean absolute difference of values a period apart
};
inline error_units units_of(std::span<double const> values, index_t period) {
  double sum = 0;
  double count = 0;
  for (double const value : values)
    if (!std::isnan(value)) {
      sum += value;
      ++count;
    }
  double const mean = sum / std::max(count, 1.0);
  double squares = 0;
  double differences = 0;
  double pairs = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isnan(values[i])) squares += (values[i] - mean) * (values[i] - mean);
    auto const lag = static_cast<std::size_t>(period);
    if (i < lag || std::isnan(values[i]) || std::isnan(values[i - lag])) continue;
    differences += std::abs(values[i] - values[i - lag]);
    ++pairs;
  }
  error_units units{std::sqrt(squares / std::max(count, 1.0)), differences / std::max(pairs, 1.0)};
  if (!(units.deviation > 0)) units.deviation = 1;
  if (!(units.naive > 0)) units.naive = units.deviation;
  return units;
}

/// Adds up errors, missing truths left out.
class error_sums {
 public:
  void add(error_units const& units, double truth, double said) {
    if (std::isnan(truth)) return;
    double const off = std::abs(said - truth);
    squares_ += off * off / (units.deviation * units.deviation);
    absolute_ += off / units.deviation;
    scaled_ += off / units.naive;
    ++count_;
  }
  backtest_scores means() const {
    auto const n = static_cast<double>(count_);  // NaN of none
    return {squares_ / n, absolute_ / n, scaled_ / n, count_};
  }

 private:
  double squares_ = 0;
  double absolute_ = 0;
  double scaled_ = 0;
  index_t count_ = 0;
};

}  // namespace detail

/// The contexts of `count` of a plan's windows of a variable, from `first` on, or of all of them:
/// (count, context).
inline std::vector<double> backtest_contexts(
    series const& s, index_t variable, backtest_plan const& plan, index_t first, index_t count) {
  auto const values = s.variable(variable);
  std::vector<double> contexts;
  contexts.reserve(static_cast<std::size_t>(count * plan.context));
  for (index_t i = first; i < first + count; ++i) {
    auto const begin = values.begin() + plan.origin(s.length(), i) - plan.context;
    contexts.insert(contexts.end(), begin, begin + plan.context);
  }
  return contexts;
}
inline std::vector<double> backtest_contexts(series const& s,
                                             index_t variable,
                                             backtest_plan const& plan) {
  return backtest_contexts(s, variable, plan, 0, plan.windows);
}

namespace detail {

/// Throws config_error unless so many values are what is said of `windows` windows.
inline void require_said(std::size_t values, index_t windows, index_t horizon) {
  if (static_cast<index_t>(values) == windows * horizon) return;
  throw config_error("what is said of " + std::to_string(windows) + " windows has " +
                     std::to_string(values) + " values, not the " +
                     std::to_string(windows * horizon) + " of " + std::to_string(horizon) +
                     " a window: a forecast returns (windows, horizon)");
}

/// use(variable, first window, what is said of some from there on), a piece of the windows after
/// the other, so that few contexts are held.
template <class Use>
void for_pieces(series const& s,
                backtest_plan const& plan,
                window_forecast const& forecast,
                Use const& use) {
  index_t const piece = windows_at_once(plan.context + plan.horizon, 4096);
  for (index_t v = 0; v < s.variables(); ++v)
    for (index_t first = 0; first < plan.windows; first += piece) {
      index_t const count = std::min(piece, plan.windows - first);
      auto const contexts = backtest_contexts(s, v, plan, first, count);
      auto const said = forecast(v, {contexts.data(), count, plan.context});
      require_said(said.size(), count, plan.horizon);
      use(v, first, said);
    }
}

}  // namespace detail

/// Each variable's windows by itself: (variables, windows, horizon). Throws config_error where a
/// forecast is none of (windows, horizon), and what it throws.
inline std::vector<double> said_of_each(series const& s,
                                        backtest_plan const& plan,
                                        window_forecast const& forecast) {
  std::vector<double> said;
  detail::for_pieces(s, plan, forecast, [&](index_t, index_t, std::vector<double> const& own) {
    said.insert(said.end(), own.begin(), own.end());
  });
  return said;
}

/// The contexts of all variables of each window next to each other: (windows, variables, context),
/// for a model whose pictures show several.
inline std::vector<double> joint_contexts(series const& s, backtest_plan const& plan) {
  std::vector<double> contexts;
  for (index_t i = 0; i < plan.windows; ++i)
    for (index_t v = 0; v < s.variables(); ++v) {
      auto const begin = s.variable(v).begin() + plan.origin(s.length(), i) - plan.context;
      contexts.insert(contexts.end(), begin, begin + plan.context);
    }
  return contexts;
}

/// What is said of all variables of each window, (windows, variables, horizon), by variable:
/// (variables, windows, horizon). Throws config_error for another number of values.
inline std::vector<double> by_variable(std::span<double const> said,
                                       index_t variables,
                                       backtest_plan const& plan) {
  detail::require_said(said.size(), plan.windows * variables, plan.horizon);
  std::vector<double> found(said.size());
  for (index_t i = 0; i < plan.windows; ++i)
    for (index_t v = 0; v < variables; ++v)
      std::copy_n(said.begin() + (i * variables + v) * plan.horizon,
                  plan.horizon,
                  found.begin() + (v * plan.windows + i) * plan.horizon);
  return found;
}

namespace detail {

/// Adds the errors of what was said of a variable's windows from `first` on, (count, horizon).
inline void add_errors(series const& s,
                       backtest_plan const& plan,
                       index_t variable,
                       index_t first,
                       std::span<double const> said,
                       error_units const& units,
                       error_sums& sums) {
  auto const values = s.variable(variable);
  index_t const count = std::ssize(said) / plan.horizon;
  for (index_t i = 0; i < count; ++i)
    for (index_t h = 0; h < plan.horizon; ++h)
      sums.add(units,
               values[static_cast<std::size_t>(plan.origin(s.length(), first + i) + h)],
               said[static_cast<std::size_t>(i * plan.horizon + h)]);
}
inline std::vector<error_units> units_of_each(series const& s, backtest_plan const& plan) {
  auto const count = static_cast<std::size_t>(plan.units(s.length()));
  std::vector<error_units> units;
  for (index_t v = 0; v < s.variables(); ++v)
    units.push_back(units_of(s.variable(v).first(count), plan.period));
  return units;
}

}  // namespace detail

/// Grades what was said of a plan's windows: (variables, windows, horizon). Throws config_error
/// where the series is too short, and for another number of values.
inline backtest_scores grade(series const& s,
                             backtest_plan const& plan,
                             std::span<double const> said) {
  require_room(plan, s.length());
  detail::require_said(said.size(), plan.windows * s.variables(), plan.horizon);
  auto const units = detail::units_of_each(s, plan);
  auto const size = static_cast<std::size_t>(plan.windows * plan.horizon);
  detail::error_sums sums;
  for (std::size_t v = 0; v < units.size(); ++v)
    detail::add_errors(
        s, plan, static_cast<index_t>(v), 0, said.subspan(v * size, size), units[v], sums);
  return sums.means();
}

/// Grades a way to forecast, some windows after the other: memory does not grow with them. Throws
/// config_error where the series is too short and where a forecast is none of (windows, horizon),
/// and what the forecast throws.
inline backtest_scores backtest(series const& s,
                                backtest_plan const& plan,
                                window_forecast const& forecast) {
  require_room(plan, s.length());
  auto const units = detail::units_of_each(s, plan);
  detail::error_sums sums;
  detail::for_pieces(
      s, plan, forecast, [&](index_t v, index_t first, std::vector<double> const& said) {
        detail::add_errors(s, plan, v, first, said, units[static_cast<std::size_t>(v)], sums);
      });
  return sums.means();
}

}  // namespace mae
