#include "forecast_flags.hpp"

#include "flag_values.hpp"

#include <mae/core/types.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/resample.hpp>
#include <mae/series/series_model.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace tools {
namespace {

using mae::index_t;
using pretrain::usage_error;

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
  return {{"data",
           "FILE.csv",
           "the series: a line of names, a line for each time, in equal steps",
           pretrain::words(o.data)},
          {"column",
           "NAME[,NAME]",
           "which columns [all but the time stamps; of a model that was trained\n"
           "here and opened, those that it has learnt from]",
           [&o](std::string const& text) { o.reading.columns = listed(text); }},
          {"time",
           "NAME|none",
           "the column of the time stamps; none: values are counted [the first,\n"
           "where it has them]",
           [&o](std::string const& text) {
             o.reading.counts_values = text == "none";
             o.reading.time_column = text == "none" ? "" : text;
           }},
          {"gaps",
           "refuse|missing",
           "whether stamps that are not there end the program, or are missing\n"
           "values, ten for each that is there at most [refuse]",
           [&o](std::string const& text) {
             if (text != "refuse" && text != "missing")
               throw usage_error("'" + text + "' is not one of refuse, missing");
             o.reading.gaps = text == "missing" ? mae::gap_rule::missing : mae::gap_rule::refuse;
           }}};
}

std::vector<pretrain::flag> output_flags(forecast_settings& o) {
  return {
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
      {"training-rows",
       "N",
       "learn from the first N values alone, and count errors in their\n"
       "deviations, as papers do [all before the windows]",
       pretrain::whole(o.training_rows, 1, most_values)},
      {"quantiles",
       "X[,X]",
       "also quantiles (0.1,0.5,0.9)",
       [&o](std::string const& text) {
         for (auto const& level : listed(text))
           pretrain::mask_share(o.quantiles.emplace_back())(level);
       }},
      {"quantiles-by",
       "errors|learnt",
       "by the errors of 64 windows that lie before those of --backtest and are\n"
       "not learnt from, or learnt by the model in place of means, the median\n"
       "being the forecast [errors; of a model that has learnt them, learnt]",
       [&o](std::string const& text) {
         if (text != "errors" && text != "learnt")
           throw usage_error("'" + text + "' is not one of errors, learnt");
         o.learns_quantiles = text == "learnt";
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
          {"variables",
           "each|rows|channels",
           "whether each column has a picture of its own, or one shows all of them:\n"
           "as rows of pixels below each other, or as its channels [each]",
           [&o](std::string const& text) {
             for (auto const& [rule, name] : mae::detail::variable_rules)
               if (text == name) {
                 o.together = rule;
                 return;
               }
             throw usage_error("'" + text + "' is not one of each, rows, channels");
           }},
          {"transfer",
           "",
           "use a model also on columns, and values that are other times apart,\n"
           "than it has learnt from",
           pretrain::set(o.transfers)}};
}

std::vector<pretrain::flag> picture_flags(forecast_settings& o) {
  return {{"long-horizon",
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
           "what is not said otherwise of these as the Python package visionts\n"
           "1.0.1 has it; of models of pictures, as all of these but --long-horizon",
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

}  // namespace

std::vector<pretrain::flag_group> flags_for(forecast_settings& o) {
  auto known = known_flags(o.known);
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
          {"What is written", output_flags(o)},
          {"Forecast", forecast_flags(o)},
          {"Picture", picture_flags(o)},
          {"Training", training_flags(o)},
          {"Model", std::move(known)}};
}

void check_combinations(pretrain::given_flags const& given, forecast_settings const& o) {
  auto const refuse = [&](std::vector<char const*> const& flags, std::string const& why) {
    for (auto const* const flag : flags)
      if (given.contains(flag)) throw usage_error("--" + std::string(flag) + " " + why);
  };
  if (o.data.empty()) throw usage_error("--data names the file of the series; see --help");
  if (o.forecasts() && o.horizon < 1)
    throw usage_error("--horizon says how many values to forecast; see --help");
  if (o.trains != o.model.empty())
    throw usage_error(o.trains
                          ? "--train and --model: a model is trained or opened, not both"
                          : "--model names a checkpoint, or --train trains a model; see --help");
  if (o.trains) {
    refuse({"heads", "decoder-heads", "image-size", "patch-size", "norm-epsilon", "transfer"},
           "is of a model that --model opens, and --train makes one");
    refuse({"shrinking", "contrast", "alignment", "as-visionts"},
           "is of a model of pictures: one that --train makes has a column for each period");
  } else {
    refuse({"minutes", "steps", "batch-size", "lr", "patch", "mask-ratio", "save", "seed"},
           "is of a model that --train trains, and --model opens one");
  }
  if (given.contains("steps")) refuse({"minutes"}, "and --steps: one of them says how long");
  if (o.backtest == 0)
    refuse({"stride", "training-rows"}, "is of the windows of --backtest, which is not given");
  if (o.quantiles.empty()) refuse({"quantiles-by"}, "says how --quantiles, which are not given");
  if (o.period > 0) refuse({"frequency"}, "is for --period auto, and --period says the period");
  if (o.as_visionts && o.together != mae::variable_rule::each)
    throw usage_error("--as-visionts and --variables: visionts draws each variable by itself");
  for (std::size_t i = 1; i < o.quantiles.size(); ++i)
    if (o.quantiles[i] <= o.quantiles[i - 1])
      throw usage_error("--quantiles must rise between 0 and 1");
  if (o.imputes && o.finds_anomalies)
    throw usage_error("--impute and --anomalies write the same file: one at a time");
  if (o.forecasts()) return;
  std::string const what = o.imputes ? "--impute" : "--anomalies";
  refuse({"backtest", "plot", "quantiles", "long-horizon"}, "is of forecasts, not of " + what);
  if (!o.trains) refuse({"horizon"}, "is of forecasts, not of " + what);
}

}  // namespace tools
