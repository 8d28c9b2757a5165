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
    return asked.quantiles.empty() ? before_graded() : calibration().first_origin(before_graded());
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
            .stride = asked.stride};
  }
  mae::forecast_options options() const {
    auto o =
        asked.as_visionts
            ? mae::forecast_options::visionts(context, asked.horizon, period)
            : mae::forecast_options{.context = context, .horizon = asked.horizon, .period = period};
    if (model.windows) {
      o = model.windows->options();
      o.horizon = asked.horizon;
    }
    if (asked.refuses_long) o.in_steps = false;
    if (asked.shrinks) o.shrinks = *asked.shrinks;
    if (asked.contrast) o.contrast = *asked.contrast;
    if (asked.alignment) o.alignment = *asked.alignment;
    return o;
  }
  std::vector<double> said(mae::matrix_view<double const> contexts) const {
    return mae::forecast(model.painter, contexts, options());
  }
};

/// Chooses period and context, and opens or trains the model; says what it chose.
void open_model(forecast_run& run);
void train_model(forecast_run& run);

/// A way to forecast, with its quantiles where they are asked for.
struct graded_forecast {
  std::string name;
  mae::window_forecast forecast;
  std::optional<mae::error_quantiles> quantiles = {};
};

/// The model, whose quantiles come from windows that it has not learnt from.
graded_forecast own_forecast(forecast_run const& run);

/// Prints the grades of the model and of what it is to be better than, on the windows of
/// --backtest.
void grade(forecast_run const& run);

}  // namespace tools
