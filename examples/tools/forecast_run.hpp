#pragma once

#include "forecast_flags.hpp"
#include "forecast_model.hpp"

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/forecast.hpp>
#include <mae/series/quantiles.hpp>
#include <mae/series/series.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tools {

/// All that a forecast needs, once the series is there.
struct forecast_run {
  forecast_settings const& asked;
  mae::series data;
  mae::index_t period = 1;  // by which values are folded
  mae::index_t season = 0;  // where that is no period: what there is
  mae::index_t context = 0;
  forecast_model model = {};

  /// Values before those that are graded.
  mae::index_t before_graded() const {
    return asked.backtest > 0 ? plan().first_origin(data.length()) : data.length();
  }
  /// Values that may be learnt from.
  mae::index_t learnt() const {
    return limited(has_errors() ? calibration().first_origin(before_graded()) : before_graded());
  }
  /// At most the part that --training-rows says.
  mae::index_t limited(mae::index_t values) const {
    return asked.training_rows > 0 ? std::min(values, asked.training_rows) : values;
  }
  /// The windows, at the end of what lies before the graded ones, whose errors give quantiles.
  mae::backtest_plan calibration() const {
    constexpr mae::index_t windows = 64;
    auto found = plan();
    found.windows = windows;
    found.stride = std::max<mae::index_t>(1, asked.horizon / 8);
    return found;
  }
  mae::backtest_plan plan() const {
    return {.context = context,
            .horizon = asked.horizon,
            .period = season > 0 ? season : period,
            .windows = asked.backtest,
            .stride = asked.stride,
            .unit_values = asked.training_rows};
  }
  mae::forecast_options options() const {
    auto o =
        asked.as_visionts
            ? mae::forecast_options::visionts(context, asked.horizon, period)
            : mae::forecast_options{.context = context, .horizon = asked.horizon, .period = period};
    if (model.windows) {
      o = model.windows->options();
      o.horizon = asked.horizon;
    } else if (asked.together != mae::variable_rule::each) {
      o.together = asked.together;
      o.variables = data.variables();
    }
    if (asked.refuses_long) o.in_steps = !*asked.refuses_long;
    if (asked.shrinks) o.shrinks = *asked.shrinks;
    if (asked.contrast) o.contrast = *asked.contrast;
    if (asked.alignment) o.alignment = *asked.alignment;
    return o;
  }

  /// Whether the quantiles are those that the model has learnt; else they come from its errors.
  bool has_learnt_quantiles() const;
  bool has_errors() const { return !asked.quantiles.empty() && !has_learnt_quantiles(); }
};

/// Opens the model, whose file may say which columns it takes: these are read where none are named.
forecast_model open_model(forecast_settings& o);
/// Chooses period and context for it, and says so. Throws config_error where the series is not what
/// it has learnt from, or where windows are to be graded that it has seen.
void settle_model(forecast_run& run);
/// The same for a model that is trained, and trains it.
void train_model(forecast_run& run);

/// A way to forecast the windows of a plan: values (variables, windows, horizon), and, where they
/// are asked for, quantiles (levels, variables, windows, horizon).
using forecast_method =
    std::function<mae::forecast_values(mae::series const&, mae::backtest_plan const&)>;
struct graded_forecast {
  std::string name;
  forecast_method say;
};

/// The model, with the quantiles that are asked for.
graded_forecast own_forecast(forecast_run const& run);

/// What it says of one window, whose context ends before value `origin`: (variables, horizon), and
/// (levels, variables, horizon).
mae::forecast_values said_from(forecast_run const& run,
                               graded_forecast const& own,
                               mae::index_t origin);

/// Prints the grades of the model and of what it is to be better than, on the windows of
/// --backtest.
void grade(forecast_run const& run, graded_forecast const& own);

}  // namespace tools
