// Forecasts time series as pictures, by a checkpoint of pictures or a model that is trained here.

#include "forecast_flags.hpp"
#include "forecast_output.hpp"
#include "forecast_run.hpp"
#include "program.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/quantiles.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/repaint.hpp>
#include <mae/series/time_axis.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using pretrain::usage_error;

/// The `count` values before `end`.
std::vector<double> values_before(std::span<double const> values, index_t end, index_t count) {
  return {values.begin() + end - count, values.begin() + end};
}

/// A quantile's values around a forecast of a variable.
std::vector<double> around(std::span<double const> said,
                           mae::error_quantiles const& quantiles,
                           index_t variable,
                           std::size_t level) {
  std::vector<double> values(said.begin(), said.end());
  for (std::size_t h = 0; h < values.size(); ++h)
    values[h] += quantiles.offset(variable, static_cast<index_t>(h), level);
  return values;
}
std::string level_name(double level) {
  return "q" + mae::decimal_text(level);
}

void draw(tools::forecast_run const& run,
          std::vector<double> const& said,
          std::optional<mae::error_quantiles> const& quantiles) {
  auto const& o = run.asked;
  auto const values = run.data.variable(0);
  bool const is_known = o.backtest > 0;
  index_t const origin = run.data.length() - (is_known ? o.horizon : 0);
  index_t const shown = std::min(origin, std::min(run.context, 4 * o.horizon));
  tools::forecast_chart chart{
      .title = run.data.names.front(),
      .x_label = "values from " +
                 (is_known ? mae::stamp_of(run.data.time, origin)
                           : mae::stamps_after(run.data.time, origin, 1)[0]) +
                 " on",
      .history = values_before(values, origin, shown),
      .truth = {},
      .said = {},
      .quantiles = {}};
  if (is_known) {
    chart.truth = values_before(values, run.data.length(), o.horizon);
    auto const context = values_before(values, origin, run.context);
    chart.said = run.said({context.data(), 1, run.context});
  } else {
    chart.said.assign(said.begin(), said.begin() + o.horizon);
  }
  if (quantiles)
    for (std::size_t k = 0; k < quantiles->levels().size(); ++k)
      chart.quantiles.emplace_back(level_name(quantiles->levels()[k]),
                                   around(chart.said, *quantiles, 0, k));
  tools::save_chart(o.plot, chart);
  std::cout << "wrote " << o.plot << '\n';
}

void write_forecast(tools::forecast_run const& run) {
  auto const& o = run.asked;
  auto const& data = run.data;
  if (data.length() < run.context)
    throw mae::config_error("the series has " + std::to_string(data.length()) +
                            " values, the context is to have " + std::to_string(run.context));
  std::vector<double> contexts;
  for (index_t v = 0; v < data.variables(); ++v) {
    auto const context = values_before(data.variable(v), data.length(), run.context);
    contexts.insert(contexts.end(), context.begin(), context.end());
    auto const range = mae::range_of(context, run.options());
    if (range.is_constant)
      std::cerr << "constant: " << mae::in_quotes(data.names[static_cast<std::size_t>(v)]) << " is "
                << range.mean << " in all of its context, and is forecast to stay\n";
  }
  auto const said = run.said({contexts.data(), data.variables(), run.context});
  auto const quantiles = tools::own_forecast(run).quantiles;
  tools::stamped_table table{.time_name = data.time.name,
                             .stamps = mae::stamps_after(data.time, data.length(), o.horizon),
                             .names = {},
                             .columns = {}};
  for (index_t v = 0; v < data.variables(); ++v) {
    auto const of_variable = std::span(said).subspan(static_cast<std::size_t>(v * o.horizon),
                                                     static_cast<std::size_t>(o.horizon));
    auto const& name = data.names[static_cast<std::size_t>(v)];
    table.names.push_back(name);
    table.columns.emplace_back(of_variable.begin(), of_variable.end());
    for (std::size_t k = 0; quantiles && k < quantiles->levels().size(); ++k) {
      table.names.push_back(name + " " + level_name(quantiles->levels()[k]));
      table.columns.push_back(around(of_variable, *quantiles, v, k));
    }
  }
  tools::save_table(o.out, table);
  std::cout << "wrote " << o.out << ": " << o.horizon << " values from " << table.stamps.front()
            << " on\n";
  if (!o.plot.empty()) draw(run, said, quantiles);
}

tools::stamped_table table_of(mae::series const& data) {
  tools::stamped_table table{.time_name = data.time.name, .stamps = {}, .names = {}, .columns = {}};
  for (index_t i = 0; i < data.length(); ++i) table.stamps.push_back(mae::stamp_of(data.time, i));
  return table;
}

void write_imputed(tools::forecast_run const& run) {
  auto table = table_of(run.data);
  table.names = run.data.names;
  for (index_t v = 0; v < run.data.variables(); ++v) {
    auto found = mae::impute(run.model.painter, run.data.variable(v), run.options());
    std::cout << mae::in_quotes(run.data.names[static_cast<std::size_t>(v)]) << ": filled "
              << found.filled << " of " << found.filled + found.left << " missing values\n";
    table.columns.push_back(std::move(found.values));
  }
  tools::save_table(run.asked.out, table);
  std::cout << "wrote " << run.asked.out << '\n';
}

void write_anomalies(tools::forecast_run const& run) {
  auto table = table_of(run.data);
  for (index_t v = 0; v < run.data.variables(); ++v) {
    auto const values = run.data.variable(v);
    auto const& name = run.data.names[static_cast<std::size_t>(v)];
    auto scores = mae::anomaly_scores(run.model.painter, values, run.options());
    std::size_t highest = 0;
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!(scores[i] <= scores[highest]) && !std::isnan(scores[i])) highest = i;
    std::cout << mae::in_quotes(name) << ": most unlike its surroundings is "
              << mae::stamp_of(run.data.time, static_cast<index_t>(highest)) << ", by "
              << scores[highest] << " deviations\n";
    table.names.push_back(name);
    table.columns.emplace_back(values.begin(), values.end());
    table.names.push_back(name + " score");
    table.columns.push_back(std::move(scores));
  }
  tools::save_table(run.asked.out, table);
  std::cout << "wrote " << run.asked.out << '\n';
}

void require_usable(tools::forecast_settings const& o) {
  if (o.data.empty()) throw usage_error("--data names the file of the series; see --help");
  if (o.forecasts() && o.horizon < 1)
    throw usage_error("--horizon says how many values to forecast; see --help");
  if (o.trains != o.model.empty())
    throw usage_error(o.trains
                          ? "--train and --model: a model is trained or opened, not both"
                          : "--model names a checkpoint, or --train trains a model; see --help");
  if (!o.trains && !o.training.save.empty())
    throw usage_error("--save is of a model that --train trains");
  for (std::size_t i = 0; i < o.quantiles.size(); ++i)
    if (!(o.quantiles[i] > 0 && o.quantiles[i] < 1) ||
        (i > 0 && o.quantiles[i] <= o.quantiles[i - 1]))
      throw usage_error("--quantiles must rise between 0 and 1");
  if (o.imputes && o.finds_anomalies)
    throw usage_error("--impute and --anomalies write the same file: one at a time");
  if (!o.forecasts() && (o.backtest > 0 || !o.plot.empty() || !o.quantiles.empty()))
    throw usage_error("--backtest, --quantiles and --plot are of forecasts, not of " +
                      std::string(o.imputes ? "--impute" : "--anomalies"));
}

void run(tools::forecast_settings& o) {
  require_usable(o);
  tools::forecast_run found{o, mae::read_series(o.data, o.reading)};
  if (o.trains) {
    if (!o.forecasts()) o.training.model.forecast_share = 0;  // as patches that miss a value
    tools::train_model(found);
  } else {
    if (o.horizon < 1) o.horizon = 1;
    tools::open_model(found);
  }
  if (o.imputes) return write_imputed(found);
  if (o.finds_anomalies) return write_anomalies(found);
  if (o.backtest > 0) tools::grade(found);
  write_forecast(found);
}

constexpr char const* introduction =
    "Forecasts time series as pictures: a column a period, a row a phase; a masked autoencoder\n"
    "paints the columns that are to come.\n"
    "Usage: mae_forecast --model FILE|DIR --data series.csv --column NAME --horizon N\n"
    "       mae_forecast --train --minutes T --data series.csv --column NAME --horizon N\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_forecast", "a shorter context or smaller batches need less", [&](char const* name) {
        tools::forecast_settings settings;
        pretrain::run_or_explain(name,
                                 argc,
                                 argv,
                                 introduction,
                                 tools::flags_for(settings),
                                 [&](pretrain::given_flags const& /*given*/) { run(settings); });
      });
}
