#include "finetune_report.hpp"

#include "epoch_log.hpp"
#include "figure.hpp"
#include "output_folder.hpp"
#include "page.hpp"
#include "save_file.hpp"
#include "terminal.hpp"

#include <mae/core/settings.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <utility>
#include <vector>

namespace tools {
namespace {

constexpr int digits = 4;

std::string in_words(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

/// What any epoch measures of a kind, with its values epoch by epoch.
std::vector<pretrain::chart_series> measured(std::vector<epoch_numbers> const& epochs,
                                             std::initializer_list<epoch_measure> kinds) {
  std::vector<std::string> names;
  for (auto const& one : epochs)
    for (auto const& [name, value] : one)
      if (std::ranges::find(kinds, measure_of(name)) != kinds.end() &&
          std::ranges::find(names, name) == names.end())
        names.push_back(name);
  std::vector<pretrain::chart_series> all;
  for (auto const& name : names) {
    all.push_back({in_words(name), "", pretrain::series_style::line_with_points, {}});
    for (auto const& one : epochs)
      all.back().points.push_back({number_of(one, "epoch"), number_of(one, name)});
  }
  return all;
}

char const* note_of(pretrain::chart_series const& series) {
  if (series.name == "loss") return "mean over an epoch's training";
  if (series.name == "effective rank") return "directions in use";
  if (series.name == "alignment") return "mean squared distance of two views";
  if (series.name == "uniformity") return "log of the mean Gaussian potential";
  if (series.name == "deviation") return "1: all directions alike";
  return "of the test images";
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

pretrain::page_section health(std::vector<pretrain::chart_series> const& all) {
  auto section = curves(all);
  section.title = "Health without labels";
  section.text =
      "Of the encoder's mean patch tokens of the first test images, " +
      std::to_string(most_health_images) +
      " at most, whole; alignment between each and a fixed random crop of it (half of its area or "
      "more, half of them mirrored). A rank or a deviation that falls towards 1 and 0 means that "
      "features collapse, as those of a classifier in part do: to its classes.";
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

void save_report(finetune_options const& o,
                 std::string const& data,
                 std::vector<pretrain::page_section> predictions,
                 bool is_running) {
  std::filesystem::path const out(o.out);
  auto const epochs = read_epochs(out / pretrain::output::metrics);
  pretrain::page shown{.kind = "Masked autoencoder: fine-tuning",
                       .title = o.heads_text() + " on " + data,
                       .status = (is_running ? "running: " : "ended: ") +
                                 std::to_string(epochs.size()) + " of " + std::to_string(o.epochs) +
                                 " epochs",
                       .is_running = is_running};
  if (!epochs.empty()) {
    shown.status += ", " + pretrain::format_duration(number_of(epochs.back(), "seconds"));
    auto const graded = measured(epochs, {epoch_measure::training, epoch_measure::test});
    if (!graded.empty()) shown.sections = {glance(graded), curves(graded)};
  }
  std::ranges::move(predictions, std::back_inserter(shown.sections));
  if (auto const told = measured(epochs, {epoch_measure::health}); !told.empty())
    shown.sections.push_back(health(told));
  shown.sections.push_back(settings_of(o, data));
  pretrain::save_text(out / pretrain::output::report, pretrain::render_html(shown));
}

}  // namespace tools
