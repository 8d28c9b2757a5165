#include "probe_report.hpp"

#include <mae/io/json_writer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iomanip>
#include <sstream>
#include <utility>

namespace tools {
namespace {

/// How a reader is called, and what it read of each layer.
struct column {
  std::string title;  // of the table
  std::string name;   // of the file
  std::vector<double> percent;
};

std::vector<column> columns_of(probe_report const& report) {
  std::vector<column> columns;
  auto const add = [&](std::string title, std::string name, auto const& score_of) {
    column added{std::move(title), std::move(name), {}};
    for (auto const& layer : report.layers)
      if (std::optional<double> const score = score_of(layer)) added.percent.push_back(*score);
    if (!added.percent.empty()) columns.push_back(std::move(added));
  };
  add("linear probe", "linear", [](layer_scores const& layer) { return layer.linear; });
  add("attentive", "attentive", [](layer_scores const& layer) { return layer.attentive; });
  for (std::size_t i = 0; i < report.neighbours.size(); ++i) {
    std::string const number = std::to_string(report.neighbours[i]);
    add("kNN, k = " + number, "knn_" + number, [i](layer_scores const& layer) {
      return i < layer.knn.size() ? std::optional(layer.knn[i]) : std::nullopt;
    });
  }
  return columns;
}

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return std::move(text).str();
}

/// What a line of a report is of.
double place_of(probe_report const& report, layer_scores const& scores) {
  return static_cast<double>(report.is_over_visible() ? scores.visible : scores.layer);
}

/// Whether other numbers of patches were seen of some images than of others.
bool varies(probe_report const& report) {
  return report.is_over_visible() &&
         std::ranges::any_of(report.layers, [](layer_scores const& scores) {
           return scores.seen != static_cast<double>(scores.visible);
         });
}

std::string name_of_line(probe_report const& report, layer_scores const& scores, bool is_all) {
  if (report.is_over_visible())
    return std::to_string(scores.visible) + " of " + std::to_string(report.patches) + " patches" +
           (varies(report) ? ", seen " + fixed(scores.seen, 2) : std::string());
  return is_all ? "the encoder" : "block " + std::to_string(scores.layer);
}

/// What a page says of its figures.
std::string what_is_graded(probe_report const& report, bool says_seen) {
  bool const by_folds = report.folds > 0;
  std::string const graded = by_folds ? "training" : "test";
  std::string text = "The share of " + graded +
                     " images whose class is read off the frozen encoder's tokens, in percent";
  text += by_folds ? ": each by what has read the other folds. No test image was looked at."
                   : ". A best figure is chosen by the test images, which flatters it.";
  if (!report.is_over_visible()) return text;
  if (says_seen)
    return text +
           " So many patches of an image were to be encoded on average over the training "
           "images; seen is the mean of the " +
           graded + " images.";
  return text + " So many patches of each image were encoded" +
         (by_folds ? "." : ", of the training images as of the tests.");
}

}  // namespace

std::string to_table(probe_report const& report, mae::index_t depth) {
  int const first = varies(report) ? 34 : 20;
  constexpr int other = 16;
  std::ostringstream table;
  auto const begin = [&](std::string const& what) {
    table << std::left << std::setw(first) << what;
  };
  auto const add = [&](std::string const& text) {
    table << std::right << std::setw(other) << text;
  };
  auto const columns = columns_of(report);
  begin("");
  for (auto const& reader : columns) add(reader.title);
  table << '\n';
  if (report.pixels) {
    begin("raw pixels");
    add(fixed(*report.pixels, 1) + " %");
    table << '\n';
  }
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    bool const is_all = report.layers.size() == 1 && report.layers[i].layer == depth;
    begin(name_of_line(report, report.layers[i], is_all));
    for (auto const& reader : columns) add(fixed(reader.percent[i], 1) + " %");
    table << '\n';
  }
  return std::move(table).str();
}

pretrain::chart to_chart(probe_report const& report) {
  constexpr std::array colours{"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"};
  pretrain::chart drawn{"What is read after each block", "block", "top-1, %", {}};
  if (report.is_over_visible())
    drawn = {"What is read off so many visible patches", "visible patches", "top-1, %", {}};
  auto const& layers = report.layers;
  for (auto const& reader : columns_of(report)) {
    pretrain::chart_series curve{reader.title,
                                 colours[drawn.series.size() % colours.size()],
                                 pretrain::series_style::line_with_points,
                                 {}};
    for (std::size_t i = 0; i < layers.size(); ++i)
      curve.points.push_back({place_of(report, layers[i]), reader.percent[i]});
    drawn.series.push_back(std::move(curve));
  }
  if (report.pixels)
    drawn.series.push_back({"linear, raw pixels",
                            "#555555",
                            pretrain::series_style::dashed,
                            {{place_of(report, layers.front()), *report.pixels},
                             {place_of(report, layers.back()), *report.pixels}}});
  return drawn;
}

pretrain::page to_page(probe_report const& report,
                       mae::index_t depth,
                       std::string const& title,
                       std::vector<pretrain::page_entry> settings) {
  auto const columns = columns_of(report);
  auto const& layers = report.layers;
  pretrain::page_section best{.title = "At a glance"};
  bool const over_visible = report.is_over_visible();
  pretrain::page_table table{"As numbers", {over_visible ? "visible patches" : "block"}, {}};
  bool const says_seen = varies(report);
  if (says_seen) table.columns.emplace_back("seen, on average");
  for (auto const& reader : columns) {
    auto const highest = std::ranges::max_element(reader.percent);
    auto const& at = layers[static_cast<std::size_t>(highest - reader.percent.begin())];
    std::string const where =
        over_visible ? "of " + name_of_line(report, at, false)
                     : "after block " + std::to_string(at.layer) + " of " + std::to_string(depth);
    best.numbers.push_back(
        {reader.title, fixed(*highest, 1) + " %", (layers.size() > 1 ? "the best: " : "") + where});
    table.columns.push_back(reader.title);
  }
  if (report.pixels)
    best.numbers.push_back({"raw pixels", fixed(*report.pixels, 1) + " %", "linear probe"});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    table.rows.push_back({std::to_string(over_visible ? layers[i].visible : layers[i].layer)});
    if (says_seen) table.rows.back().push_back(fixed(layers[i].seen, 2));
    for (auto const& reader : columns) table.rows.back().push_back(fixed(reader.percent[i], 1));
  }
  pretrain::page_section read{
      .title = over_visible ? "Of so many visible patches" : "After each block",
      .text = what_is_graded(report, says_seen)};
  if (layers.size() > 1) read.figures.push_back(to_chart(report));
  read.tables.push_back(std::move(table));
  return {
      .kind = "Masked autoencoder: what is read off its features",
      .title = title,
      .status = "top-1 of a frozen encoder, read with labels",
      .sections = {
          std::move(best), std::move(read), {.title = "Settings", .entries = std::move(settings)}}};
}

std::string to_csv(probe_report const& report) {
  auto const columns = columns_of(report);
  std::string table = report.is_over_visible() ? "visible,seen" : "layer";
  for (auto const& reader : columns) table += ',' + reader.name;
  table += "\r\n";
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    auto const& line = report.layers[i];
    if (report.is_over_visible())
      table += std::to_string(line.visible) + ',' + fixed(line.seen, 3);
    else
      table += std::to_string(line.layer);
    for (auto const& reader : columns) table += ',' + fixed(reader.percent[i], 4);
    table += "\r\n";
  }
  return table;
}

std::string to_json(probe_report const& report) {
  auto const columns = columns_of(report);
  std::string curve;
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    auto const& line = report.layers[i];
    mae::json_object point;
    point.add("visible", line.visible).add("seen", line.seen);
    for (auto const& reader : columns) point.add(reader.name, reader.percent[i]);
    curve += (i > 0 ? "," : "") + point.line();
  }
  mae::json_object all;
  all.add("patches", report.patches);
  if (report.folds > 0) all.add("folds", report.folds);
  if (report.pixels) all.add("pixels", *report.pixels);
  return all.add_json("curve", "[" + curve + "]").line() + "\n";
}

}  // namespace tools
