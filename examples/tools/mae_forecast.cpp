// Forecasts time series as pictures, by a checkpoint of pictures or a model that is trained here.

#include "assumed.hpp"
#include "forecast_flags.hpp"
#include "forecast_output.hpp"
#include "forecast_run.hpp"
#include "program.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/io/file.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/repaint.hpp>
#include <mae/series/time_axis.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

/// The `count` values before `end`.
std::vector<double> values_before(std::span<double const> values, index_t end, index_t count) {
  return {values.begin() + end - count, values.begin() + end};
}

std::string level_name(double level) {
  return "q" + mae::decimal_text(level);
}
/// A variable's part of what is said of one window; with a level, of that quantile.
std::vector<double> part_of(tools::forecast_run const& run,
                            std::vector<double> const& said,
                            index_t variable,
                            std::size_t level = 0) {
  index_t const horizon = run.asked.horizon;
  auto const begin =
      said.begin() + (static_cast<index_t>(level) * run.data.variables() + variable) * horizon;
  return {begin, begin + horizon};
}

void draw(tools::forecast_run const& run,
          tools::graded_forecast const& own,
          mae::forecast_values const& after) {
  auto const& o = run.asked;
  auto const values = run.data.variable(0);
  bool const is_known = o.backtest > 0;
  index_t const origin = run.data.length() - (is_known ? o.horizon : 0);
  index_t const shown = std::min(origin, std::min(run.context, 4 * o.horizon));
  auto const said = is_known ? tools::said_from(run, own, origin) : after;
  tools::forecast_chart chart{
      .title = run.data.names.front(),
      .x_label = "values from " +
                 (is_known ? mae::stamp_of(run.data.time, origin)
                           : mae::stamps_after(run.data.time, origin, 1)[0]) +
                 " on",
      .history = values_before(values, origin, shown),
      .truth =
          is_known ? values_before(values, run.data.length(), o.horizon) : std::vector<double>(),
      .said = part_of(run, said.values, 0),
      .quantiles = {}};
  for (std::size_t k = 0; k < o.quantiles.size(); ++k)
    chart.quantiles.emplace_back(level_name(o.quantiles[k]), part_of(run, said.quantiles, 0, k));
  tools::save_chart(o.plot, chart);
  std::cout << "wrote " << o.plot << '\n';
}

void write_forecast(tools::forecast_run const& run, tools::graded_forecast const& own) {
  auto const& o = run.asked;
  auto const& data = run.data;
  if (data.length() < run.context)
    throw mae::config_error("the series has " + std::to_string(data.length()) +
                            " values, the context is to have " + std::to_string(run.context));
  auto const said = tools::said_from(run, own, data.length());
  for (index_t v = 0; v < data.variables(); ++v) {
    auto const context = values_before(data.variable(v), data.length(), run.context);
    auto const range = mae::range_of(context, run.options());
    if (range.is_constant)
      std::cerr << "constant: " << mae::in_quotes(data.names[static_cast<std::size_t>(v)]) << " is "
                << range.mean << " in all of its context, and is forecast to stay\n";
  }
  auto const stamps = mae::stamps_after(data.time, data.length(), o.horizon);
  tools::stamped_table table{.time_name = data.time.name,
                             .rows = stamps.size(),
                             .stamp = [&](std::size_t row) { return stamps[row]; },
                             .names = {},
                             .columns = {}};
  for (index_t v = 0; v < data.variables(); ++v) {
    auto const& name = data.names[static_cast<std::size_t>(v)];
    table.names.push_back(name);
    table.columns.push_back(part_of(run, said.values, v));
    for (std::size_t k = 0; k < o.quantiles.size(); ++k) {
      table.names.push_back(name + " " + level_name(o.quantiles[k]));
      table.columns.push_back(part_of(run, said.quantiles, v, k));
    }
  }
  tools::save_table(o.out, table);
  std::cout << "wrote " << o.out << ": " << o.horizon << " values from " << stamps.front()
            << " on\n";
  if (!o.plot.empty()) draw(run, own, said);
}

/// Refers to the series.
tools::stamped_table table_of(mae::series const& data) {
  return {
      .time_name = data.time.name,
      .rows = static_cast<std::size_t>(data.length()),
      .stamp = [&](std::size_t row) { return mae::stamp_of(data.time, static_cast<index_t>(row)); },
      .names = {},
      .columns = {}};
}

/// The pictures of a series: the variables of each, one or all.
std::vector<mae::matrix_view<double const>> pictures_of(tools::forecast_run const& run) {
  if (run.options().together != mae::variable_rule::each) return {run.data.view()};
  std::vector<mae::matrix_view<double const>> rows;
  for (index_t v = 0; v < run.data.variables(); ++v)
    rows.push_back(run.data.view().middle_rows(v, 1));
  return rows;
}
/// The names of those that a picture shows, the first of which is `first`.
std::string names_of(tools::forecast_run const& run, std::size_t first, index_t count) {
  std::string names;
  for (index_t v = 0; v < count; ++v)
    (names += names.empty() ? "" : ", ") +=
        mae::in_quotes(run.data.names[first + static_cast<std::size_t>(v)]);
  return names;
}
/// Values (variables, time) as columns.
void add_columns(tools::stamped_table& table, std::vector<double> const& values, index_t length) {
  for (auto begin = values.begin(); begin != values.end(); begin += length)
    table.columns.emplace_back(begin, begin + length);
}

void write_imputed(tools::forecast_run const& run) {
  auto table = table_of(run.data);
  table.names = run.data.names;
  for (auto const& picture : pictures_of(run)) {
    auto const found = mae::impute(run.model.painter, picture, run.options());
    std::cout << names_of(run, table.columns.size(), picture.rows) << ": filled " << found.filled
              << " of " << found.filled + found.left << " missing values\n";
    add_columns(table, found.values, run.data.length());
  }
  tools::save_table(run.asked.out, table);
  std::cout << "wrote " << run.asked.out << '\n';
}

void write_anomalies(tools::forecast_run const& run) {
  std::vector<double> all;
  for (auto const& picture : pictures_of(run)) {
    auto const scores = mae::anomaly_scores(run.model.painter, picture, run.options());
    all.insert(all.end(), scores.begin(), scores.end());
  }
  auto table = table_of(run.data);
  for (index_t v = 0; v < run.data.variables(); ++v) {
    auto const values = run.data.variable(v);
    auto const& name = run.data.names[static_cast<std::size_t>(v)];
    std::vector<double> const scores(all.begin() + v * run.data.length(),
                                     all.begin() + (v + 1) * run.data.length());
    std::size_t highest = 0;
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!(scores[i] <= scores[highest]) && !std::isnan(scores[i])) highest = i;
    std::cout << mae::in_quotes(name) << ": ";
    if (std::isnan(scores[highest]))
      std::cout << "no value has a score: too many are missing\n";
    else
      std::cout << "most unlike its surroundings is "
                << mae::stamp_of(run.data.time, static_cast<index_t>(highest)) << ", by "
                << scores[highest] << " deviations\n";
    table.names.push_back(name);
    table.columns.emplace_back(values.begin(), values.end());
    table.names.push_back(name + " score");
    table.columns.push_back(scores);
  }
  tools::save_table(run.asked.out, table);
  std::cout << "wrote " << run.asked.out << '\n';
}

void run(tools::forecast_settings& o) {
  for (auto const& file : {o.out, o.plot, o.training.save})
    if (!file.empty()) mae::require_replaceable(file);  // before minutes of training
  auto model = o.trains ? tools::forecast_model() : tools::open_model(o);
  tools::forecast_run found{o, mae::read_series(o.data, o.reading)};
  if (!found.data.time.has_stamps())
    pretrain::say_assumed(std::cerr,
                          "values are equal times apart: the table has no time stamps that are "
                          "read, and they are counted; --time names their column");
  if (o.trains) {
    if (!o.forecasts()) o.training.model.forecast_share = 0;  // as patches that miss a value
    tools::train_model(found);
  } else {
    if (o.horizon < 1) o.horizon = 1;
    found.model = std::move(model);
    tools::settle_model(found);
  }
  if (o.imputes) return write_imputed(found);
  if (o.finds_anomalies) return write_anomalies(found);
  auto const own = tools::own_forecast(found);
  if (o.backtest > 0) tools::grade(found, own);
  write_forecast(found, own);
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
                                 [&](pretrain::given_flags const& given) {
                                   tools::check_combinations(given, settings);
                                   run(settings);
                                 });
      });
}
