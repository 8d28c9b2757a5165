#pragma once

#include "command_line.hpp"
#include "forecast_model.hpp"
#include "model_flags.hpp"

#include <mae/core/types.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/resample.hpp>

#include <optional>
#include <string>
#include <vector>

namespace tools {

/// What the command line of mae_forecast says.
struct forecast_settings {
  std::string model;
  known_of_model known;
  std::string data;
  mae::read_series_options reading;
  mae::index_t context = 0;
  mae::index_t horizon = 0;
  mae::index_t period = 0;  // 0: auto
  std::string frequency;
  bool as_visionts = false;
  std::optional<bool> refuses_long;
  std::optional<mae::shrinking> shrinks;
  std::optional<double> contrast;
  std::optional<double> alignment;
  mae::variable_rule together = mae::variable_rule::each;
  bool transfers = false;
  bool trains = false;
  window_training_options training;
  std::string out = "forecast.csv";
  std::string plot;
  mae::index_t backtest = 0;
  mae::index_t stride = 0;
  mae::index_t training_rows = 0;  // 0: all before the windows
  std::vector<double> quantiles;
  std::optional<bool> learns_quantiles;  // in place of errors of windows
  bool imputes = false;
  bool finds_anomalies = false;

  bool forecasts() const { return !imputes && !finds_anomalies; }
};

std::vector<pretrain::flag_group> flags_for(forecast_settings& o);

/// Throws usage_error for flags that contradict each other, or would have no meaning.
void check_combinations(pretrain::given_flags const& given, forecast_settings const& o);

}  // namespace tools
