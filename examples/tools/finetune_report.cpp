#include "finetune_report.hpp"

#include "figure.hpp"
#include "output_folder.hpp"
#include "page.hpp"
#include "save_file.hpp"
#include "terminal.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/io/json_reader.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace tools {
namespace {

namespace fs = std::filesystem;
constexpr int digits = 4;

/// The numbers of one line, by their names, in its order.
using record = std::vector<std::pair<std::string, double>>;

std::string read_bytes(fs::path const& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A line that cannot be read is as one without numbers.
record numbers_of(std::string const& line) {
  constexpr std::string_view begins = "-0123456789";
  record numbers;
  try {
    mae::json_reader reader("metrics", line, 0);
    reader.object([&](std::string const& name, std::uint64_t /*at*/) {
      if (std::ranges::any_of(begins, [&](char first) { return reader.begins_with(first); }))
        numbers.emplace_back(name, reader.number());
      else
        reader.skip();
    });
    reader.finish_text();
  } catch (mae::format_error const&) {
    return {};
  }
  return numbers;
}

/// NaN where it has none: not every epoch is graded.
double number_of(record const& all, std::string const& name) {
  auto const found = std::ranges::find(all, name, [](auto const& one) { return one.first; });
  return found == all.end() ? std::nan("") : found->second;
}

bool is_measured(std::string const& name) {
  return name != "epoch" && name != "seconds";
}

std::string in_words(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

/// What any record measures, with its values epoch by epoch.
std::vector<pretrain::chart_series> measured(std::vector<record> const& records) {
  std::vector<std::string> names;
  for (auto const& one : records)
    for (auto const& [name, value] : one)
      if (is_measured(name) && std::ranges::find(names, name) == names.end()) names.push_back(name);
  std::vector<pretrain::chart_series> all;
  for (auto const& name : names) {
    all.push_back({in_words(name), "", pretrain::series_style::line_with_points, {}});
    for (auto const& one : records)
      all.back().points.push_back({number_of(one, "epoch"), number_of(one, name)});
  }
  return all;
}

char const* note_of(pretrain::chart_series const& series) {
  return series.name == "loss" ? "mean over an epoch's training" : "of the test images";
}

pretrain::page_section glance(std::vector<pretrain::chart_series> const& all) {
  pretrain::page_section section{.title = "At a glance"};
  for (auto const& series : all) {
    auto const last = std::find_if(series.points.rbegin(),
                                   series.points.rend(),
                                   [](auto const& one) { return std::isfinite(one.y); });
    if (last != series.points.rend())
      section.numbers.push_back(
          {series.name, pretrain::number_text(last->y, digits), note_of(series)});
  }
  return section;
}

pretrain::page_section curves(std::vector<pretrain::chart_series> const& all) {
  pretrain::page_section section{.title = "Curves"};
  pretrain::page_table table{"As numbers", {"epoch"}, {}};
  for (auto const& series : all) {
    section.figures.push_back({series.name, "epoch", note_of(series), {series}});
    table.columns.push_back(series.name);
  }
  for (std::size_t i = 0; i < all.front().points.size(); ++i) {
    table.rows.push_back({pretrain::number_text(all.front().points[i].x, digits)});
    for (auto const& series : all)
      table.rows.back().push_back(pretrain::number_text(series.points[i].y, digits));
  }
  section.tables.push_back(std::move(table));
  return section;
}

/// The pictures in the folder, by their names.
pretrain::page_section pictures_in(fs::path const& folder) {
  pretrain::page_section section{.title = "Pictures"};
  std::vector<fs::path> files;
  std::error_code ignored;  // a page without pictures is one, too
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored))
    if (entry->path().extension() == ".png") files.push_back(entry->path());
  std::ranges::sort(files);
  for (auto const& file : files) {
    std::string const bytes = read_bytes(file);
    auto const all = std::as_bytes(std::span(bytes));
    section.strips.push_back(
        {file.filename().string(), file.stem().string(), {all.begin(), all.end()}});
  }
  return section;
}

pretrain::page_section settings_of(finetune_options const& o, std::string const& data) {
  pretrain::page_section section{.title = "Settings"};
  section.entries = {{"data", data},
                     {"encoder", o.from_scratch ? o.config + " from scratch" : o.model},
                     {"heads", o.heads_text()},
                     {"epochs", std::to_string(o.epochs)},
                     {"images a step", std::to_string(o.batch)},
                     {"learning rate of 256 images", mae::decimal_text(o.base_lr)},
                     {"seed", std::to_string(o.settings.seed)}};
  for (auto const& [name, value] : o.flags)
    section.entries.push_back({"--" + name, value.empty() ? "given" : value});
  return section;
}

}  // namespace

void save_report(finetune_options const& o, std::string const& data, bool is_running) {
  fs::path const out(o.out);
  std::istringstream lines(read_bytes(out / pretrain::output::metrics));
  std::vector<record> records;
  for (std::string line; std::getline(lines, line);)
    if (auto numbers = numbers_of(line); !numbers.empty()) records.push_back(std::move(numbers));
  pretrain::page shown{.kind = "Masked autoencoder: fine-tuning",
                       .title = o.heads_text() + " on " + data,
                       .status = (is_running ? "running: " : "ended: ") +
                                 std::to_string(records.size()) + " of " +
                                 std::to_string(o.epochs) + " epochs",
                       .is_running = is_running};
  if (!records.empty()) {
    shown.status += ", " + pretrain::format_duration(number_of(records.back(), "seconds"));
    if (auto const all = measured(records); !all.empty())
      shown.sections = {glance(all), curves(all)};
  }
  if (auto pictures = pictures_in(out); !is_running && !pictures.strips.empty())
    shown.sections.push_back(std::move(pictures));
  shown.sections.push_back(settings_of(o, data));
  pretrain::save_text(out / pretrain::output::report, pretrain::render_html(shown));
}

}  // namespace tools
