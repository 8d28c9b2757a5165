#pragma once

#include <mae/core/types.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/quantiles.hpp>
#include <mae/series/series.hpp>

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// What mae_forecast writes.

namespace tools {

/// Columns of numbers beside time stamps; NaN is an empty field.
struct stamped_table {
  std::string time_name;
  std::size_t rows = 0;
  std::function<std::string(std::size_t row)> stamp;
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;  // one for each name
};
/// Row by row: what is held beside the table is a piece of the text.
void save_table(std::string const& path, stamped_table const& table);

/// What a chart of a forecast shows; x counts values from the forecast's first.
struct forecast_chart {
  std::string title;
  std::string x_label;
  std::vector<double> history;
  std::vector<double> truth;  // empty where there is none
  std::vector<double> said;
  std::vector<std::pair<std::string, std::vector<double>>> quantiles;
};
void save_chart(std::string const& path, forecast_chart const& shown);

/// A way to forecast, and its grades.
struct graded_row {
  std::string name;
  mae::backtest_scores scores;
  std::optional<mae::quantile_scores> quantiles = {};
};
/// As a table.
void print_scores(std::ostream& out, std::vector<graded_row> const& rows);

}  // namespace tools
