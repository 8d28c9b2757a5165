// Forecasts time series as pictures, by a checkpoint of pictures or a model that is trained here.

#include "assumed.hpp"
#include "flag_values.hpp"
#include "forecast_model.hpp"
#include "forecast_output.hpp"
#include "model_flags.hpp"
#include "program.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/baselines.hpp>
#include <mae/series/forecast.hpp>
#include <mae/series/frequency.hpp>
#include <mae/series/period.hpp>
#include <mae/series/quantiles.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/repaint.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using pretrain::usage_error;

struct forecast_settings {
  std::string model;
  tools::known_of_model known;
  std::string data;
  mae::read_series_options reading;
  index_t context = 0;
  index_t horizon = 0;
  index_t period = 0;  // 0: auto
  std::string frequency;
  bool as_visionts = false;
  bool refuses_long = false;
  std::optional<mae::shrinking> shrinks;
  std::optional<double> contrast;
  std::optional<double> alignment;
  bool trains = false;
  tools::window_training_options training;
  std::string out = "forecast.csv";
  std::string plot;
  index_t backtest = 0;
  index_t stride = 0;
  std::vector<double> quantiles;
  bool imputes = false;
  bool finds_anomalies = false;

  bool forecasts() const { return !imputes && !finds_anomalies; }
};

constexpr std::uint64_t most_values = 1'000'000'000;

std::vector<std::string> listed(std::string const& text) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    auto const end = std::min(text.find(',', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    if (names.back().empty()) throw usage_error("must be names with a comma between two");
    begin = end + 1;
  }
  return names;
}

std::vector<pretrain::flag> data_flags(forecast_settings& o) {
  return {
      {"data",
       "FILE.csv",
       "the series: a line of names, a line for each time, in equal steps",
       pretrain::words(o.data)},
      {"column",
       "NAME[,NAME]",
       "which columns; each is forecast by itself [all but the time stamps]",
       [&o](std::string const& text) { o.reading.columns = listed(text); }},
      {"time",
       "NAME",
       "the column of the time stamps [the first, where it has them]",
       pretrain::words(o.reading.time_column)},
      {"gaps",
       "refuse|missing",
       "whether stamps that are not there end the program, or are missing\n"
       "values [refuse]",
       [&o](std::string const& text) {
         if (text != "refuse" && text != "missing")
           throw usage_error("'" + text + "' is not one of refuse, missing");
         o.reading.gaps = text == "missing" ? mae::gap_rule::missing : mae::gap_rule::refuse;
       }},
      {"out", "FILE.csv", pretrain::with_default("the forecast", o.out), pretrain::words(o.out)},
      {"plot",
       "FILE.svg",
       "a chart of the first column: its end and the forecast; with --backtest\n"
       "its last window, and what came",
       pretrain::words(o.plot)},
      {"backtest",
       "N",
       "grade the model on N windows at the series' end, beside the last\n"
       "value, the last period and a linear model; a model that is trained\n"
       "here sees what lies before them",
       pretrain::whole(o.backtest, 1, most_values)},
      {"stride",
       "N",
       "values from one such window to the next [the horizon]",
       pretrain::whole(o.stride, 1, most_values)},
      {"quantiles",
       "X[,X]",
       "also quantiles (0.1,0.5,0.9), by the errors of windows that lie before\n"
       "those of --backtest and are not learnt from",
       [&o](std::string const& text) {
         for (auto const& level : listed(text))
           pretrain::mask_share(o.quantiles.emplace_back())(level);
       }},
      {"impute",
       "",
       "in place of a forecast: write the series with its missing values filled",
       pretrain::set(o.imputes)},
      {"anomalies",
       "",
       "in place of a forecast: write how far each value is from what is\n"
       "painted when it is hidden, in deviations of its surroundings",
       pretrain::set(o.finds_anomalies)}};
}

std::vector<pretrain::flag> forecast_flags(forecast_settings& o) {
  return {{"context",
           "N",
           "values that a forecast is made from [30 periods, or 512 values\n"
           "without one; a model of windows has its own]",
           pretrain::whole(o.context, 1, most_values)},
          {"horizon", "N", "values to forecast", pretrain::whole(o.horizon, 1, most_values)},
          {"period",
           "N|auto",
           "values after which the series repeats; auto looks at the stamps and\n"
           "the autocorrelation, and says what it found [auto]",
           [&o](std::string const& text) {
             if (text == "auto")
               o.period = 0;
             else
               pretrain::whole(o.period, 1, most_values)(text);
           }},
          {"frequency",
           "NAME",
           "what lies between two values, as pandas names it (h, 15min, D, W, ME,\n"
           "QE), for --period auto where stamps do not say it",
           pretrain::words(o.frequency)},
          {"long-horizon",
           "steps|refuse",
           "what to do about one that the picture has no room for [steps]",
           [&o](std::string const& text) {
             if (text != "steps" && text != "refuse")
               throw usage_error("'" + text + "' is not one of steps, refuse");
             o.refuses_long = text == "refuse";
           }},
          {"shrinking",
           "averaged|picked",
           "how a context that is longer than its picture becomes shorter: by\n"
           "means of all values, or of the nearest two alone [averaged]",
           [&o](std::string const& text) {
             if (text != "averaged" && text != "picked")
               throw usage_error("'" + text + "' is not one of averaged, picked");
             o.shrinks = text == "picked" ? mae::shrinking::picked : mae::shrinking::averaged;
           }},
          {"contrast",
           "X",
           "what a context's deviation becomes in the picture [0.4]",
           [&o](std::string const& text) { pretrain::positive(o.contrast)(text); }},
          {"alignment",
           "X",
           "how much of its share of the picture the context takes [0.4]",
           [&o](std::string const& text) { pretrain::positive(o.alignment)(text); }},
          {"as-visionts",
           "",
           "all of these as the Python package visionts 1.0.1 has them",
           pretrain::set(o.as_visionts)}};
}

std::vector<pretrain::flag> training_flags(forecast_settings& o) {
  constexpr std::uint64_t most_seed = std::numeric_limits<std::uint64_t>::max();
  constexpr std::uint64_t most_threads = 1024;
  auto& t = o.training;
  return {
      {"train",
       "",
       "train a model on the series itself, in place of --model",
       pretrain::set(o.trains)},
      {"minutes",
       "T",
       pretrain::with_default("how long", t.minutes),
       pretrain::positive(t.minutes)},
      {"steps",
       "N",
       "instead: how many steps, the same on every machine",
       pretrain::whole(t.steps, 1, most_values)},
      {"batch-size",
       "N",
       pretrain::with_default("windows of a step", static_cast<double>(t.batch_size)),
       pretrain::whole(t.batch_size, 1, most_values)},
      {"lr", "X", pretrain::with_default("the learning rate", t.lr), pretrain::positive(t.lr)},
      {"patch",
       "PHASESxPERIODS",
       "the patches [phases by a divisor of the period near 16, one period]",
       [&t](std::string const& text) {
         auto const found = mae::detail::parse_sides(text);
         if (!found || text.find('x') == std::string::npos)
           throw usage_error("must be phases and periods (12x1), not " + text);
         t.windows.patch = {found->first, found->second};
       }},
      {"mask-ratio",
       "R",
       pretrain::with_default("the share of hidden patches where not the horizon is hidden",
                              t.model.mask_ratio),
       pretrain::mask_share(t.model.mask_ratio)},
      {"save", "FILE", "the trained model, for --model", pretrain::words(t.save)},
      {"seed",
       "N",
       pretrain::with_default("of the model and its training", static_cast<double>(t.model.seed)),
       pretrain::whole(t.model.seed, 0, most_seed)},
      {"threads",
       "N",
       pretrain::with_default("threads; 0: one for every core that the process may use", t.threads),
       pretrain::whole(t.threads, 0, most_threads)}};
}

std::vector<pretrain::flag_group> flags_for(forecast_settings& o) {
  auto known = tools::known_flags(o.known);
  std::erase_if(known, [](pretrain::flag const& flag) {  // what pictures alone have
    return flag.name == "statistics" || flag.name == "rescale" || flag.name == "resample" ||
           flag.name == "fit";
  });
  known.insert(known.begin(),
               {"model",
                "FILE|DIR",
                "a checkpoint with a decoder of pixels: of pictures, or of --train --save",
                pretrain::words(o.model)});
  return {{"Series", data_flags(o)},
          {"Forecast", forecast_flags(o)},
          {"Training", training_flags(o)},
          {"Model", std::move(known)}};
}

/// All that a forecast needs, once the series is there.
struct forecast_run {
  forecast_settings const& asked;
  mae::series data;
  index_t period = 1;
  index_t context = 0;
  tools::forecast_model model = {};

  /// Values before those that are graded.
  index_t before_graded() const {
    return asked.backtest > 0 ? plan().first_origin(data.length()) : data.length();
  }
  /// Values that may be learnt from.
  index_t learnt() const {
    return asked.quantiles.empty() ? before_graded() : calibration().first_origin(before_graded());
  }
  /// The windows, at the end of what lies before the graded ones, whose errors give quantiles.
  mae::backtest_plan calibration() const {
    constexpr index_t windows = 64;
    auto found = plan();
    found.windows = windows;
    found.stride = std::max<index_t>(1, asked.horizon / 8);
    return found;
  }
  mae::backtest_plan plan() const {
    return {.context = context,
            .horizon = asked.horizon,
            .period = period,
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

/// The period that was asked for, or that of the column which repeats most clearly.
index_t choose_period(forecast_settings const& o, mae::series const& data) {
  if (o.period > 0) return o.period;
  auto time = data.time;
  if (!o.frequency.empty()) {
    time.step = mae::parse_step(o.frequency);
    if (!time.has_stamps()) time.stamps.resize(1);
  }
  index_t const most = std::max<index_t>(1, std::min(data.length() / 3, index_t{10'080}));
  auto best = mae::find_period(data.variable(0), time, most);
  std::size_t column = 0;
  for (index_t v = 1; v < data.variables() && best.period == 1; ++v) {
    best = mae::find_period(data.variable(v), time, most);
    column = static_cast<std::size_t>(v);
  }
  std::cout << "period " << best.period << " (" << mae::in_quotes(data.names[column])
            << "): " << best.why << "; --period says otherwise\n";
  return best.period;
}

index_t choose_context(forecast_run const& run) {
  auto const& o = run.asked;
  if (o.context > 0) return o.context;
  constexpr index_t usual_periods = 30;
  constexpr index_t usual_values = 512;
  index_t const before = o.backtest > 0 ? run.plan().first_origin(run.data.length()) - 2 * o.horizon
                                        : run.data.length() - (o.trains ? o.horizon : 0);
  index_t const most = o.trains ? before / 4 : before;
  index_t const wanted = run.period > 1 ? usual_periods * run.period : usual_values;
  index_t const found = std::min(wanted, most) / run.period * run.period;
  if (found < run.period)
    throw mae::config_error("the series of " + std::to_string(run.data.length()) +
                            " values is too short for a context of one period of " +
                            std::to_string(run.period));
  pretrain::say_assumed(
      std::cerr, "a context of " + std::to_string(found) + " values; --context says otherwise");
  return found;
}

/// Windows that can be cut into patches: the context in whole numbers of periods and patches, the
/// horizon in more.
mae::window_options choose_windows(forecast_run const& run) {
  auto windows = run.asked.training.windows;
  windows.period = run.period;
  if (windows.patch.height == 0) windows.patch = mae::patch_for(run.period);
  index_t const unit = windows.period * windows.patch.width;
  windows.context = run.context / unit * unit;
  windows.horizon = mae::round_up(run.asked.horizon, unit);
  if (windows.context < 1)
    throw mae::config_error("a context of " + std::to_string(run.context) +
                            " values has no patch of " + std::to_string(unit) +
                            " values: a longer --context, or a --patch of fewer periods");
  return windows;
}

void train(forecast_run& run) {
  if (run.period == 1 && run.context >= 32) {
    run.period = 16;
    pretrain::say_assumed(std::cerr,
                          "values are folded by 16, which is no period; --period says otherwise");
  }
  auto options = run.asked.training;
  options.windows = choose_windows(run);
  if (run.asked.backtest > 0) mae::require_room(run.plan(), run.data.length());
  run.model = tools::train_forecast_model(run.data, run.learnt(), options, std::cout);
  run.context = options.windows.context;
}

/// Opens the model; one of windows has its own period and context.
void open(forecast_run& run) {
  auto const& o = run.asked;
  run.model = tools::open_forecast_model(o.model, o.known, o.training.threads, std::cerr);
  if (!run.model.windows) {
    run.period = choose_period(o, run.data);
    run.context = choose_context(run);
    return;
  }
  auto const& windows = *run.model.windows;
  auto const agree = [&](char const* flag, index_t asked, index_t has) {
    if (asked > 0 && asked != has)
      throw mae::config_error(o.model + ": it was trained with a " + flag + " of " +
                              std::to_string(has) + ", --" + flag + " says " +
                              std::to_string(asked));
  };
  agree("context", o.context, windows.context);
  agree("period", o.period, windows.period);
  run.period = windows.period;
  run.context = windows.context;
}

using view = mae::matrix_view<double const>;

/// A way to forecast, with its quantiles where they are asked for.
struct graded_forecast {
  std::string name;
  mae::window_forecast forecast;
  std::optional<mae::error_quantiles> quantiles = {};
};

mae::series first_values(mae::series const& all, index_t length) {
  mae::series first{.names = all.names};
  for (index_t v = 0; v < all.variables(); ++v) {
    auto const values = all.variable(v).first(static_cast<std::size_t>(length));
    first.values.insert(first.values.end(), values.begin(), values.end());
  }
  return first;
}

/// Where --quantiles asks for them.
void add_quantiles(forecast_run const& run, graded_forecast& method) {
  if (run.asked.quantiles.empty()) return;
  auto const before = first_values(run.data, run.before_graded());
  method.quantiles.emplace(before, run.calibration(), method.forecast, run.asked.quantiles);
}

graded_forecast own_forecast(forecast_run const& run) {
  graded_forecast own{"the model", [&run](index_t, view contexts) { return run.said(contexts); }};
  add_quantiles(run, own);
  return own;
}

/// The model, and what it is to be better than.
std::vector<graded_forecast> methods_of(forecast_run const& run) {
  auto const horizon = run.asked.horizon;
  auto const period = run.period;
  std::vector<graded_forecast> methods;
  methods.push_back(
      {"last value", [=](index_t, view contexts) { return mae::repeat_last(contexts, horizon); }});
  if (period > 1)
    methods.push_back({"last period", [=](index_t, view contexts) {
                         return mae::repeat_last(contexts, horizon, period);
                       }});
  try {
    std::vector<mae::linear_forecast> linear;
    for (index_t v = 0; v < run.data.variables(); ++v)
      linear.emplace_back(
          run.data.variable(v).first(static_cast<std::size_t>(run.learnt())), run.context, horizon);
    methods.push_back({"linear", [linear](index_t variable, view contexts) {
                         return linear[static_cast<std::size_t>(variable)](contexts);
                       }});
  } catch (mae::config_error const& error) {
    std::cout << "left out: linear: " << error.what() << '\n';
  }
  for (auto& method : methods) add_quantiles(run, method);
  methods.insert(methods.begin(), own_forecast(run));
  return methods;
}

void grade(forecast_run const& run) {
  auto const plan = run.plan();
  auto const& data = run.data;
  mae::require_room(plan, data.length());
  index_t const first = plan.first_origin(data.length());
  std::cout << "backtest: " << plan.windows << " windows, " << plan.step()
            << " values from one to the next, the first forecast from "
            << mae::stamp_of(data.time, first)
            << " on; errors in deviations of what lies before, MASE in its mean difference of "
            << "values " << plan.period << " apart\n";
  std::vector<tools::graded_row> rows;
  for (auto const& method : methods_of(run)) {
    rows.push_back({method.name, mae::backtest(data, plan, method.forecast)});
    if (method.quantiles)
      rows.back().quantiles = mae::grade_quantiles(data, plan, method.forecast, *method.quantiles);
  }
  tools::print_scores(std::cout, rows);
}

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

void draw(forecast_run const& run,
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

void write_forecast(forecast_run const& run) {
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
  auto const quantiles = own_forecast(run).quantiles;
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

void write_imputed(forecast_run const& run) {
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

void write_anomalies(forecast_run const& run) {
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

void require_usable(forecast_settings const& o) {
  if (o.data.empty()) throw usage_error("--data names the file of the series; see --help");
  if (o.forecasts() && o.horizon < 1)
    throw usage_error("--horizon says how many values to forecast; see --help");
  if (o.trains != o.model.empty())
    throw usage_error(o.trains
                          ? "--train and --model: a model is trained or opened, not both"
                          : "--model names a checkpoint, or --train trains a model; see --help");
  if (o.imputes && o.finds_anomalies)
    throw usage_error("--impute and --anomalies write the same file: one at a time");
  if (!o.forecasts() && (o.backtest > 0 || !o.plot.empty() || !o.quantiles.empty()))
    throw usage_error("--backtest, --quantiles and --plot are of forecasts, not of " +
                      std::string(o.imputes ? "--impute" : "--anomalies"));
}

void run(forecast_settings& o) {
  require_usable(o);
  forecast_run found{o, mae::read_series(o.data, o.reading)};
  if (o.trains) {
    found.period = choose_period(o, found.data);
    if (!o.forecasts()) {  // patches anywhere are hidden, as those are that miss a value
      if (o.horizon < 1) o.horizon = found.period;
      o.training.model.forecast_share = 0;
    }
    found.context = choose_context(found);
    train(found);
  } else {
    if (o.horizon < 1) o.horizon = 1;
    open(found);
  }
  if (o.imputes) return write_imputed(found);
  if (o.finds_anomalies) return write_anomalies(found);
  if (o.backtest > 0) grade(found);
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
        forecast_settings settings;
        pretrain::run_or_explain(name,
                                 argc,
                                 argv,
                                 introduction,
                                 flags_for(settings),
                                 [&](pretrain::given_flags const& /*given*/) { run(settings); });
      });
}
