#include "training_report.hpp"

#include "colour_flags.hpp"
#include "figure.hpp"
#include "gradient_record.hpp"
#include "loss_chart.hpp"
#include "noise_flags.hpp"
#include "png_file.hpp"
#include "save_file.hpp"
#include "terminal.hpp"

#include <mae/core/settings.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

namespace pretrain {
namespace {

constexpr int few_digits = 3;
constexpr int full_digits = 4;

std::string count_text(std::int64_t count, char const* of) {
  return std::to_string(count) + ' ' + of + (count == 1 ? "" : "s");
}

std::string percent_text(double value) {
  return number_text(value, few_digits) + " %";
}

chart_series series_of(std::string name) {
  return {std::move(name), "", series_style::line_with_points, {}};
}

page_number number_of(char const* label,
                      std::optional<double> const& value,
                      char const* beside,
                      std::optional<double> const& other,
                      std::string (*text)(double)) {
  return {label,
          value ? text(*value) : "-",
          other ? std::string(beside) + ": " + text(*other) : std::string()};
}

std::string loss_text(double value) {
  return number_text(value, full_digits);
}

// ---- what stands at the top --------------------------------------------------------------------

std::string now_text() {
  std::time_t const now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts));
  return text;
}

std::string status_of(training_state const& state) {
  auto const& summary = state.summary;
  std::string text = state.is_running ? "running" : summary.status;
  text += ": step " + std::to_string(summary.steps) + " of " + std::to_string(state.total_steps);
  text += " (" +
          percent_text(100.0 * static_cast<double>(summary.steps) /
                       static_cast<double>(std::max<std::int64_t>(1, state.total_steps))) +
          "), " + number_text(summary.epochs, full_digits) + " epochs";
  if (state.is_running && summary.images_per_second && *summary.images_per_second > 0)
    text += ", about " +
            format_duration(static_cast<double>(state.total_steps - summary.steps) *
                            static_cast<double>(summary.batch_size) / *summary.images_per_second) +
            " of training left";
  return text + ". Written " + now_text() + '.';
}

page_section glance(training_state const& state) {
  auto const& history = state.history;
  page_section section{.title = "At a glance"};
  std::optional<double> loss;
  std::optional<double> baseline;
  if (!history.heldout.empty()) {
    loss = history.heldout.back().loss;
    baseline = history.heldout.back().baseline;
  }
  section.numbers.push_back(
      number_of("held-out loss", loss, "predicting zero", baseline, loss_text));
  if (!history.probes.empty()) {
    auto const& last = history.probes.back();
    auto const& first = history.probes.front();
    bool const knows_start = first.step == 0 && last.step > 0;
    auto const add = [&](char const* label, std::optional<double> probe_record::*top1) {
      if (!(last.*top1)) return;
      section.numbers.push_back(number_of(label,
                                          last.*top1,
                                          "untrained encoder",
                                          knows_start ? first.*top1 : std::nullopt,
                                          percent_text));
    };
    add("linear probe, top-1", &probe_record::linear_top1);
    add("nearest neighbours, top-1", &probe_record::knn_top1);
  }
  section.numbers.push_back({"speed",
                             state.summary.images_per_second
                                 ? std::to_string(std::llround(*state.summary.images_per_second))
                                 : "-",
                             "images a second, training alone"});
  return section;
}

// ---- curves ------------------------------------------------------------------------------------

chart probe_chart(std::vector<probe_record> const& probes) {
  auto linear = series_of("linear probe");
  auto knn = series_of("nearest neighbours");
  for (auto const& record : probes) {
    if (record.linear_top1) linear.points.push_back({record.epoch, *record.linear_top1});
    if (record.knn_top1) knn.points.push_back({record.epoch, *record.knn_top1});
  }
  chart drawn{"Frozen encoder, graded with labels", "epoch", "top-1, %", {}};
  if (!linear.points.empty()) drawn.series.push_back(std::move(linear));
  if (!knn.points.empty()) drawn.series.push_back(std::move(knn));
  return drawn;
}

chart step_chart(training_history const& history,
                 char const* title,
                 char const* unit,
                 char const* name,
                 double training_record::*value) {
  return {
      title, "epoch", unit, {{name, "", series_style::line, smoothed(history.training, value)}}};
}

/// Of each head beside the painter that was learned.
std::vector<chart> compared_charts(training_history const& history) {
  constexpr auto words = std::to_array<std::array<char const*, 2>>(
      {{"Contrast of views", "InfoNCE"},
       {"SIGReg of views", "spread and distance from a normal distribution"},
       {"Uniformity of images", "mean squared cosine"},
       {"Perceptual distance", "mean squared difference of tokens"},
       {"Noise taken away", "mean squared error of visible patches"}});
  static_assert(words.size() == comparing_heads.size());
  std::vector<chart> charts;
  for (std::size_t i = 0; i < comparing_heads.size(); ++i) {
    auto line = history.training;
    for (auto& record : line) record.loss = record.compared[i];
    auto made = chart{
        words[i][0],
        "epoch",
        words[i][1],
        {{comparing_heads[i], "", series_style::line, smoothed(line, &training_record::loss)}}};
    auto heldout = series_of("held-out");
    for (auto const& record : history.heldout)
      if (std::isfinite(record.compared[i]))
        heldout.points.push_back({record.epoch, record.compared[i]});
    if (!heldout.points.empty()) made.series.push_back(std::move(heldout));
    if (!made.series.front().points.empty()) charts.push_back(std::move(made));
  }
  return charts;
}

/// What a mask that learns said of itself.
chart mask_chart(std::vector<mask_record> const& masks, mask_choice mask) {
  auto agreement = series_of("pairs of patches in the right order");
  auto entropy =
      series_of(mask == mask_choice::gate ? "entropy of the gates, of equal gates'"
                                          : "entropy of the distribution, of the uniform one's");
  for (auto const& record : masks) {
    if (record.agreement) agreement.points.push_back({record.epoch, *record.agreement});
    if (record.entropy) entropy.points.push_back({record.epoch, *record.entropy});
  }
  chart drawn{"What the mask has learned", "epoch", "share", {}};
  if (!agreement.points.empty()) drawn.series.push_back(std::move(agreement));
  if (!entropy.points.empty()) drawn.series.push_back(std::move(entropy));
  return drawn;
}

/// The entries of what is learned beside painting, and when.
template <class Add>
void add_heads(options const& o, Add const& add) {
  if (o.predicted_share < 1) add("predicted of the hidden", mae::decimal_text(o.predicted_share));
  if (o.visible_loss > 0)
    add("visible patches' loss", "weight " + mae::decimal_text(o.visible_loss));
  for (auto const& [entry, value] : noise_entries(o)) add(entry.c_str(), value);
  if (o.decoder == decoder_choice::cross) add("decoder", "cross-attention");
  if (o.views > 1) add("views of an image", std::to_string(o.views));
  if (o.local.views > 0)
    add("of those small parts",
        std::to_string(o.local.views) + " of " + mae::decimal_text(o.local.crop_min) + " to " +
            mae::decimal_text(o.local.crop_max));
  if (o.painted_views > 0) add("of those painted", std::to_string(o.painted_views));
  auto const weights = o.weights_beside();
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] > 0) add(comparing_heads[i], "weight " + mae::decimal_text(weights[i]));
  if (o.perceptual > 0) add("perceptual's encoder", o.teacher.string());
  if (o.contrast > 0 && o.predictor > 0)
    add("contrast's predictor", std::to_string(o.predictor) + " hidden values");
  if (o.contrast > 0 && o.keys == key_choice::moving) {
    auto const& [momentum, last] = o.teacher_momentum;
    add("contrast's keys",
        "moving, by " + mae::decimal_text(momentum) +
            (last ? " to " + mae::decimal_text(*last) : std::string()) + ", and " +
            std::to_string(o.queue) + " earlier ones");
  }
  if (!o.head_schedules.empty()) add("weights move", mae::to_text(o.head_schedules));
  if (o.conflicts != mae::conflict_rule::sum)
    add("heads' gradients",
        std::string(o.conflicts == mae::conflict_rule::project ? "projected" : "balanced"));
  if (o.alternate > 0) add("heads take turns", "of " + std::to_string(o.alternate) + " steps");
  if (o.frozen > 0)
    add("frozen",
        "the first " + std::to_string(o.frozen - 1) + " blocks, from " +
            mae::decimal_text(o.frozen_from) + " of the training");
}

page_table heldout_table(std::vector<heldout_record> const& heldout) {
  page_table table{
      "Held-out losses as numbers", {"epoch", "step", "held-out loss", "predicting zero"}, {}};
  for (auto const& record : heldout)
    table.rows.push_back({number_text(record.epoch, full_digits),
                          std::to_string(record.step),
                          loss_text(record.loss),
                          loss_text(record.baseline)});
  return table;
}

page_section curves(training_history const& history, mask_choice mask) {
  page_section section{
      .title = "Curves",
      .text = std::string("Of training steps, means of neighbouring ones. The held-out "
                          "loss is of images that are not trained on, ") +
              (mask == mask_choice::none ? "whole, each with one fixed noise."
                                         : "under one fixed mask.")};
  section.figures.push_back(loss_chart(history));
  if (auto probes = probe_chart(history.probes); !probes.series.empty())
    section.figures.push_back(std::move(probes));
  for (auto& chart : compared_charts(history)) section.figures.push_back(std::move(chart));
  if (auto masks = mask_chart(history.masks, mask); !masks.series.empty())
    section.figures.push_back(std::move(masks));
  section.figures.push_back(
      step_chart(history, "Learning rate", "rate a step", "learning rate", &training_record::lr));
  section.figures.push_back(step_chart(history,
                                       "Gradient",
                                       "global norm, before clipping",
                                       "norm",
                                       &training_record::gradient_norm));
  section.figures.push_back(step_chart(
      history, "Speed", "images a second", "training", &training_record::images_per_second));
  if (!history.heldout.empty()) section.tables.push_back(heldout_table(history.heldout));
  return section;
}

// ---- health ------------------------------------------------------------------------------------

page_table health_table(std::vector<health_record> const& records) {
  page_table table{"Health as numbers",
                   {"epoch", "step", "effective rank", "alignment", "uniformity", "deviation"},
                   {}};
  for (auto const& record : records)
    table.rows.push_back({number_text(record.epoch, full_digits),
                          std::to_string(record.step),
                          number_text(record.effective_rank, full_digits),
                          number_text(record.alignment, full_digits),
                          number_text(record.uniformity, full_digits),
                          number_text(record.deviation, full_digits)});
  return table;
}

chart variance_chart(std::vector<health_record> const& records) {
  auto targets = series_of("targets");
  auto predictions = series_of("predictions");
  for (auto const& record : records) {
    targets.points.push_back({record.epoch, record.target_variance});
    predictions.points.push_back({record.epoch, record.prediction_variance});
  }
  return {"Variance of targets and predictions",
          "epoch",
          "mean variance of a value",
          {std::move(predictions), std::move(targets)}};
}

page_section health(std::vector<health_record> const& records) {
  page_section section{
      .title = "Health without labels",
      .text = "Of the mean patch tokens of the first " +
              count_text(records.back().images, "held-out image") +
              ", whole and unmasked; alignment between each and a fixed random crop of it (half of "
              "its area or more, half of them mirrored). A rank or a deviation that falls towards "
              "1 and 0 means that features collapse; so do predictions where their variance falls "
              "far below the targets'."};
  auto const add = [&](char const* title, char const* unit, double health_record::*value) {
    auto series = series_of(title);
    for (auto const& record : records) series.points.push_back({record.epoch, record.*value});
    section.figures.push_back({title, "epoch", unit, {std::move(series)}});
  };
  add("Effective rank", "directions in use", &health_record::effective_rank);
  add("Alignment", "mean squared distance of two views", &health_record::alignment);
  add("Uniformity", "log of the mean Gaussian potential", &health_record::uniformity);
  add("Feature deviation", "1: all directions alike", &health_record::deviation);
  if (std::isfinite(records.back().prediction_rank)) {  // an older file does not say
    add("Effective rank of predictions", "directions in use", &health_record::prediction_rank);
    section.figures.push_back(variance_chart(records));
  }
  section.tables.push_back(health_table(records));
  return section;
}

// ---- how gradients meet ------------------------------------------------------------------------

/// Of each head over the whole encoder.
chart norm_chart(std::vector<gradient_record> const& records) {
  chart drawn{"Gradients of heads", "epoch", "norm on the encoder", {}};
  for (auto const& record : records)
    for (auto const& of : record.heads) {
      auto const has_name = [&](chart_series const& series) { return series.name == of.head; };
      auto found = std::ranges::find_if(drawn.series, has_name);
      if (found == drawn.series.end()) {
        drawn.series.push_back(series_of(of.head));
        found = std::prev(drawn.series.end());
      }
      found->points.push_back({record.epoch, gradient_record::whole_norm(of)});
    }
  return drawn;
}

page_table gradient_table(gradient_record const& record) {
  page_table table{"Step " + std::to_string(record.step) + " as numbers", {"depth"}, {}};
  std::size_t const depths = record.heads.front().norms.size();
  for (auto const& of : record.heads) table.columns.push_back(of.head + ", norm");
  for (auto const& of : record.pairs) table.columns.push_back(of.heads + ", cosine");
  for (std::size_t depth = 0; depth < depths; ++depth) {
    auto& row = table.rows.emplace_back();
    row.push_back(depth_name(depth, depths));
    for (auto const& of : record.heads) row.push_back(number_text(of.norms[depth], few_digits));
    for (auto const& of : record.pairs) row.push_back(number_text(of.cosines[depth], few_digits));
  }
  return table;
}

page_section gradients(std::vector<gradient_record> const& records) {
  page_section section{
      .title = "How gradients meet",
      .text =
          "Each head's own gradient of its loss times its weight, on the encoder. Cosines by "
          "depth, from blue (1, the same way) over white to red (-1, against each other); grey "
          "where one is 0."};
  section.figures.push_back(norm_chart(records));
  section.drawing = draw_gradients(records);
  section.tables.push_back(gradient_table(records.back()));
  return section;
}

// ---- settings and time -------------------------------------------------------------------------

/// How much the mask hides.
template <class Add>
void add_mask(options const& o, Add const& add) {
  auto const number = [](double value) { return mae::decimal_text(value); };
  auto const list = [&](std::vector<double> const& shares) {
    std::string text;
    for (double const share : shares) text += (text.empty() ? "" : ", ") + number(share);
    return text;
  };
  bool const is_ranged = o.mask == mask_choice::ramped || o.mask == mask_choice::random;
  if (o.mask == mask_choice::file)
    add("masks", o.mask_file.string());
  else if (o.mask != mask_choice::none)
    add("share hidden",
        is_ranged                       ? number(o.mask_from) + " to " + number(o.mask_to)
        : o.mask == mask_choice::levels ? list(o.levels_from) + " to " + list(o.levels_to)
                                        : number(o.mask_ratio));
  if (o.mask == mask_choice::ramped && (o.ramp_begins > 0 || o.ramp_ends < 1))
    add("share moves",
        "from " + number(o.ramp_begins) + " to " + number(o.ramp_ends) + " of the training");
}

page_section settings_section(training_state const& state) {
  auto const& o = state.settings;
  auto const& s = state.summary;
  page_section section{.title = "Settings"};
  auto const add = [&](char const* name, std::string value) {
    section.entries.push_back({name, std::move(value)});
  };
  auto const number = [](double value) { return mae::decimal_text(value); };
  add("data", s.data);
  add("configuration", s.config);
  add("parameters", std::to_string(s.parameters));
  if (!o.init.empty()) add("begun with", o.init.string());
  add("mask", s.mask);
  add_mask(o, add);
  add("targets", s.objective);
  for (auto const& [entry, value] : s.targets)
    if (entry != "objective") section.entries.push_back({entry, value});
  add("positions", std::string(o.positions == mae::position_table::learned ? "learned" : "sincos"));
  if (o.density_token > 0)
    add("density token",
        std::to_string(o.density_token) + " levels, at " + std::string(name(o.density_token_at)));
  add("images a step", std::to_string(s.batch_size));
  add_heads(o, add);
  add("steps", std::to_string(state.total_steps));
  add("learning rate", number(peak_learning_rate(o)));
  add("weight decay", number(o.weight_decay));
  add("clipped at norm", o.clip > 0 ? number(o.clip) : "never");
  add("least crop", number(o.augment.crop_min));
  for (auto const& [entry, value] : colour_entries(o.colours))
    section.entries.push_back({entry, value});
  add("seed", std::to_string(s.seed));
  add("backend", s.backend + ", " + s.precision);
  add("device", s.device);
  add("threads", std::to_string(s.threads));
  add("build", s.build);
  return section;
}

page_section time_section(training_state const& state) {
  auto const& s = state.summary;
  page_section section{.title = "Time"};
  section.entries.push_back({"this run so far", format_duration(s.wall_seconds)});
  if (s.images_per_second && *s.images_per_second > 0) {
    constexpr double thousand = 1000;
    double const step = static_cast<double>(s.batch_size) / *s.images_per_second;
    section.entries.push_back(
        {"a training step", number_text(thousand * step, few_digits) + " ms"});
    section.entries.push_back({"all training steps at this speed",
                               format_duration(step * static_cast<double>(state.total_steps))});
  }
  return section;
}

std::vector<std::byte> strip_of(std::span<reconstruction const> rows,
                                float_image reconstruction::*image) {
  constexpr mae::index_t most_width = 96;
  std::vector<float_image> images;
  for (auto const& row : rows) images.push_back(row.*image);
  return png_of(draw_strip(images, most_width));
}

}  // namespace

training_report::training_report(std::filesystem::path file) : file_(std::move(file)) {}

training_report::training_report(std::filesystem::path file, std::int64_t step)
    : file_(std::move(file)) {
  std::ifstream stream(file_, std::ios::binary);
  std::string const html{std::istreambuf_iterator<char>(stream), {}};
  for (auto& strip : strips_of(html))
    if (!painted_.take(strip, step)) masks_.take(std::move(strip), step);
}

void training_report::add(std::int64_t step,
                          double epoch,
                          std::span<reconstruction const> painted) {
  originals_ = strip_of(painted, &reconstruction::original);
  masked_ = strip_of(painted, &reconstruction::masked);
  targets_ = strip_of(painted, &reconstruction::reconstructed);
  painted_.add(step, epoch, strip_of(painted, &reconstruction::pasted));
}

page_section training_report::painted_section(options const& o) const {
  auto const objective = o.objective;
  bool const is_whole = o.mask == mask_choice::none;
  page_section section{
      .title = "What it paints",
      .text = is_whole ? "The same held-out images throughout, with the same noise, which is to be "
                         "taken away."
                       : "The same held-out images throughout: three quarters of their patches are "
                         "hidden, and painted from the rest."};
  if (objective == objective_choice::principal)
    section.text += " The components that are left out of the targets are the image's own.";
  if (objective == objective_choice::hog)
    section.text += " Targets are drawn as strokes along edges.";
  if (objective == objective_choice::fourier)
    section.text +=
        " Targets are drawn as each patch's spectrum, its lowest frequencies in the middle.";
  if (objective == objective_choice::teacher)
    section.text +=
        " The teacher's tokens are drawn as colours, along the three axes of greatest variance of "
        "each image.";
  section.strips.push_back({"original", "the images as they are", originals_});
  section.strips.push_back({"what the encoder sees",
                            is_whole ? "the images with noise" : "hidden patches in grey",
                            masked_});
  if (objective == objective_choice::hog || objective == objective_choice::fourier ||
      objective == objective_choice::teacher)
    section.strips.push_back({"targets", "what is to be predicted", targets_});
  painted_.show(section,
                "",
                is_whole ? "the same images, painted" : "the same images, hidden patches painted");
  return section;
}

void training_report::write(training_state const& state) const {
  page shown{.kind = "Masked autoencoder: pre-training",
             .title = state.summary.config + " on " + state.summary.data,
             .status = status_of(state),
             .is_running = state.is_running,
             .sections = {glance(state), curves(state.history, state.settings.mask)}};
  if (!originals_.empty()) shown.sections.push_back(painted_section(state.settings));
  if (!masks_.empty()) shown.sections.push_back(masks_.section());
  if (!state.history.health.empty()) shown.sections.push_back(health(state.history.health));
  if (!state.history.gradients.empty())
    shown.sections.push_back(gradients(state.history.gradients));
  shown.sections.push_back(settings_section(state));
  shown.sections.push_back(time_section(state));
  save_text(file_, render_html(shown));
}

}  // namespace pretrain
