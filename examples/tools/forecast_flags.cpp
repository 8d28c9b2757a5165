#include "forecast_flags.hpp"

#include "flag_values.hpp"

#include <mae/core/types.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/resample.hpp>

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
           pretrain::words(o.frequency)}};
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

}  // namespace tools
