#include "forecast_output.hpp"

#include "chart.hpp"
#include "save_file.hpp"

#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/io/file.hpp>

#include <cmath>
#include <cstddef>
#include <iomanip>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace tools {

void save_table(std::string const& path, stamped_table const& table) {
  constexpr std::size_t piece = std::size_t{1} << 20U;
  mae::atomic_file file(path);
  std::vector<std::string> fields{table.time_name};
  fields.insert(fields.end(), table.names.begin(), table.names.end());
  std::string text = mae::csv_line(fields) + "\r\n";
  for (std::size_t row = 0; row < table.rows; ++row) {
    fields.assign(1, table.stamp(row));
    for (auto const& column : table.columns)
      fields.push_back(std::isnan(column[row]) ? "" : mae::decimal_text(column[row]));
    text += mae::csv_line(fields) + "\r\n";
    if (text.size() < piece) continue;
    file.write(std::as_bytes(std::span(text)));
    text.clear();
  }
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

void save_chart(std::string const& path, forecast_chart const& shown) {
  using pretrain::series_style;
  auto const points = [](std::vector<double> const& values, double first) {
    std::vector<pretrain::chart_point> found;
    for (double const value : values) found.push_back({first++, value});
    return found;
  };
  auto const before = -static_cast<double>(shown.history.size());
  pretrain::chart drawn{shown.title, shown.x_label, "value", {}};
  drawn.series.push_back({"history", "#7f7f7f", series_style::line, points(shown.history, before)});
  if (!shown.truth.empty())
    drawn.series.push_back({"truth", "#2ca02c", series_style::line, points(shown.truth, 0)});
  drawn.series.push_back({"forecast", "#1f77b4", series_style::line, points(shown.said, 0)});
  for (auto const& [name, values] : shown.quantiles)
    drawn.series.push_back({name, "#1f77b4", series_style::dashed, points(values, 0)});
  pretrain::save_text(path, pretrain::render_svg(drawn));
}

void print_scores(std::ostream& out, std::vector<graded_row> const& rows) {
  constexpr int name_width = 16;
  constexpr int width = 10;
  bool const has_quantiles = !rows.empty() && rows.front().quantiles.has_value();
  std::vector<char const*> columns{"MSE", "MAE", "MASE"};
  if (has_quantiles) columns.insert(columns.end(), {"WQL", "coverage"});
  std::ostringstream text;
  text << std::left << std::setw(name_width) << "" << std::right;
  for (auto const* const name : columns) text << std::setw(width) << name;
  text << '\n' << std::fixed << std::setprecision(4);
  for (auto const& row : rows) {
    text << std::left << std::setw(name_width) << row.name << std::right;
    std::vector<double> scores{row.scores.mse, row.scores.mae, row.scores.mase};
    if (row.quantiles) scores.insert(scores.end(), {row.quantiles->wql, row.quantiles->coverage});
    for (double const score : scores) text << std::setw(width) << score;
    text << '\n';
  }
  out << text.str();
  if (has_quantiles && rows.front().quantiles->values < rows.front().scores.values)
    out << "WQL and coverage are of the " << rows.front().quantiles->values << " of "
        << rows.front().scores.values
        << " values for which all rows that have them know quantiles\n";
}

}  // namespace tools
