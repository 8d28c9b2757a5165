#include "forecast_run.hpp"

#include "assumed.hpp"
#include "forecast_output.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/series/baselines.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/frequency.hpp>
#include <mae/series/learnt_series.hpp>
#include <mae/series/period.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/time_axis.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tools {
namespace {

using mae::index_t;
using view = mae::matrix_view<double const>;

constexpr char const* own_name = "the model";

/// The period that was asked for, or that of the first column which has one, in what may be learnt
/// from: it lies before the windows that are graded.
index_t choose_period(forecast_run const& run) {
  auto const& o = run.asked;
  auto const& data = run.data;
  if (o.period > 0) return o.period;
  auto time = data.time;
  if (!o.frequency.empty()) {
    time.step = mae::parse_step(o.frequency);
    if (!time.has_stamps()) time.stamps.resize(1);
  }
  auto const length = std::max<index_t>(1, run.limited(run.before_graded()));
  auto const before = [&](index_t v) {
    return data.variable(v).first(static_cast<std::size_t>(length));
  };
  index_t const most = std::max<index_t>(1, std::min(length / 3, index_t{10'080}));
  auto best = mae::find_period(before(0), time, most);
  std::size_t column = 0;
  for (index_t v = 1; v < data.variables() && best.period == 1; ++v) {
    best = mae::find_period(before(v), time, most);
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
  windows.together = run.asked.together;
  windows.variables = run.data.variables();
  if (windows.together == mae::variable_rule::each) windows.variables = 1;
  if (windows.patch.height == 0) windows.patch = mae::patch_for(run.period);
  index_t const unit = windows.period * windows.patch.width;
  windows.context = run.context / unit * unit;
  windows.horizon = mae::round_up(std::max<index_t>(run.asked.horizon, 1), unit);
  if (windows.context < 1)
    throw mae::config_error("a context of " + std::to_string(run.context) +
                            " values has no patch of " + std::to_string(unit) +
                            " values: a longer --context, or a --patch of fewer periods");
  return windows;
}

void require_several(forecast_run const& run) {
  if (run.asked.together != mae::variable_rule::each && run.data.variables() < 2)
    throw mae::config_error(
        "--variables says how several columns share a picture, and the series "
        "has one, " +
        mae::in_quotes(run.data.names.front()) + ": --column names more");
}

void require_room_for(forecast_run const& run) {
  if (run.asked.backtest > 0) mae::require_room(run.plan(), run.data.length());
  if (run.has_errors())
    mae::require_room(run.calibration(), run.before_graded(), "the quantiles' own backtest");
}

std::string levels_text(std::vector<double> const& levels) {
  std::string text;
  for (double const level : levels) (text += text.empty() ? "" : ", ") += mae::decimal_text(level);
  return text;
}
bool has_level(std::vector<double> const& levels, double wanted) {
  return std::find(levels.begin(), levels.end(), wanted) != levels.end();
}

}  // namespace

bool forecast_run::has_learnt_quantiles() const {
  if (asked.quantiles.empty()) return false;
  if (asked.learns_quantiles) return *asked.learns_quantiles;
  return !asked.trains &&
         std::all_of(asked.quantiles.begin(), asked.quantiles.end(), [&](double level) {
           return has_level(model.painter.levels, level);
         });
}

void train_model(forecast_run& run) {
  require_several(run);
  run.period = choose_period(run);
  run.context = choose_context(run);
  if (run.period == 1 && run.context >= 32) {
    run.season = 1;
    run.period = 16;
    pretrain::say_assumed(std::cerr,
                          "values are folded by 16, which is no period; a --period above 1 says "
                          "otherwise");
  }
  auto options = run.asked.training;
  options.windows = choose_windows(run);
  require_room_for(run);
  if (run.has_learnt_quantiles()) {
    options.levels = run.asked.quantiles;
    if (!has_level(options.levels, 0.5)) {
      options.levels.push_back(0.5);
      std::sort(options.levels.begin(), options.levels.end());
    }
  }
  run.model = train_forecast_model(run.data, run.learnt(), options, std::cout);
  run.context = options.windows.context;
}

forecast_model open_model(forecast_settings& o) {
  auto model = open_forecast_model(o.model, o.known, o.training.threads, std::cerr);
  if (model.learnt && o.reading.columns.empty()) {
    o.reading.columns = model.learnt->columns;
    std::cout << "columns " << mae::detail::listed(o.reading.columns)
              << ", which the model has learnt from; --column names others\n";
  }
  return model;
}

namespace {

/// What a model of windows was trained with is said by its file, and no flag says otherwise.
void require_no_contradiction(forecast_run const& run) {
  auto const& o = run.asked;
  auto const& windows = *run.model.windows;
  auto const agree = [&](char const* flag, index_t asked, index_t has) {
    if (asked > 0 && asked != has)
      throw mae::config_error(o.model + ": it was trained with a " + flag + " of " +
                              std::to_string(has) + ", --" + flag + " says " +
                              std::to_string(asked));
  };
  agree("context", o.context, windows.context);
  agree("period", o.period, windows.period);
  if (o.shrinks || o.contrast || o.alignment || o.as_visionts)
    throw mae::config_error(
        o.model +
        ": it was trained on windows, which say how they are drawn: --shrinking, --contrast, "
        "--alignment and --as-visionts are of models of pictures");
  if (!o.frequency.empty())
    throw mae::config_error(o.model + ": it was trained with a period of " +
                            std::to_string(windows.period) + ": --frequency is for finding one");
  if (o.together != mae::variable_rule::each && o.together != windows.together)
    throw mae::config_error(o.model +
                            ": its pictures do not show variables as --variables says; it is what "
                            "--train was given");
}

/// Whether the series is such as the model has learnt from.
void require_fit(forecast_run const& run) {
  auto const& o = run.asked;
  bool const is_joint = run.model.windows->together != mae::variable_rule::each;
  if (is_joint && run.data.variables() != run.model.windows->variables)
    throw mae::config_error(o.model + ": its pictures show " +
                            std::to_string(run.model.windows->variables) +
                            " variables together, and the series has " +
                            std::to_string(run.data.variables()) + ": --column names them");
  if (!run.model.learnt) {
    pretrain::say_assumed(std::cerr,
                          "the series is such as the model has learnt from, which its file does "
                          "not say: the columns, and what lies between two values");
    return;
  }
  auto const what = mae::misfit(*run.model.learnt, run.data, is_joint);
  if (what.empty()) return;
  if (!o.transfers)
    throw mae::config_error(o.model + ": " + what +
                            ": --column and --data name what it knows, --train trains a model of "
                            "this series, --transfer takes the model all the same");
  std::cerr << "transfer: " << what << '\n';
}

/// Whether the model has seen what its errors are to be taken of.
void require_unseen(forecast_run const& run) {
  auto const& o = run.asked;
  if (o.backtest == 0 && !run.has_errors()) return;
  char const* const which = run.has_errors() ? "whose errors give quantiles" : "that is graded";
  index_t const first =
      run.has_errors() ? run.calibration().first_origin(run.before_graded()) : run.before_graded();
  std::string const assumption =
      "the model has learnt from none of the windows that are graded, or that quantiles come "
      "from, ";
  std::string const way_out = "; --train keeps them apart";
  if (!run.model.learnt)
    return pretrain::say_assumed(std::cerr, assumption + "which its file does not say" + way_out);
  auto const seen = mae::values_seen(*run.model.learnt, run.data);
  if (seen.count <= first) return;
  if (!seen.doubt.empty())
    return pretrain::say_assumed(
        std::cerr, assumption + "though the series does not tell: " + seen.doubt + way_out);
  throw mae::config_error(o.model + ": it has learnt from this series up to " +
                          mae::stamp_of(run.data.time, seen.count - 1) + ", and the first window " +
                          which + " is forecast from " + mae::stamp_of(run.data.time, first) +
                          " on: fewer windows, newer data, or --train with the same --backtest "
                          "and --quantiles, which "
                          "keeps them apart");
}

void require_learnt_levels(forecast_run const& run) {
  auto const& levels = run.model.painter.levels;
  for (double const level : run.asked.quantiles)
    if (run.has_learnt_quantiles() && !has_level(levels, level))
      throw mae::config_error(
          run.asked.model + ": it has learnt " +
          (levels.empty() ? "no quantiles" : "the quantiles " + levels_text(levels)) + ", not " +
          mae::decimal_text(level) + ": --quantiles-by errors takes them from its errors");
}

}  // namespace

void settle_model(forecast_run& run) {
  if (!run.model.windows) {
    if (run.asked.transfers)
      throw mae::config_error(run.asked.model +
                              ": --transfer is of models that --train has trained: one of pictures "
                              "has learnt from no series, and takes any without it");
    require_several(run);
    run.period = choose_period(run);
    run.context = choose_context(run);
  } else {
    require_no_contradiction(run);
    run.period = run.model.windows->period;
    run.context = run.model.windows->context;
    require_fit(run);
  }
  if (!run.asked.forecasts()) return;
  require_learnt_levels(run);
  require_room_for(run);
  if (run.model.windows) require_unseen(run);
}

namespace {

mae::series first_values(mae::series const& all, index_t length) {
  mae::series first{.names = all.names};
  for (index_t v = 0; v < all.variables(); ++v) {
    auto const values = all.variable(v).first(static_cast<std::size_t>(length));
    first.values.insert(first.values.end(), values.begin(), values.end());
  }
  return first;
}

/// What the model says of contexts, (windows, variables, context) where variables share pictures,
/// else (variables, windows, context).
mae::forecast_values said_of(forecast_run const& run, view contexts) {
  auto found = mae::forecast_with_quantiles(
      run.model.painter, contexts, run.options(), run.has_learnt_quantiles());
  if (!run.has_learnt_quantiles()) return found;
  mae::forecast_values chosen{std::move(found.values)};
  auto const& levels = run.model.painter.levels;
  for (std::size_t k = 0; k < levels.size(); ++k)
    if (has_level(run.asked.quantiles, levels[k])) {
      auto const own =
          std::span(found.quantiles).subspan(k * chosen.values.size(), chosen.values.size());
      chosen.quantiles.insert(chosen.quantiles.end(), own.begin(), own.end());
    }
  return chosen;
}

/// Throws config_error for a variable that has no value in the context of a window.
void require_values(mae::series const& s, mae::backtest_plan const& plan) {
  for (index_t v = 0; v < s.variables(); ++v)
    for (index_t i = 0; i < plan.windows; ++i) {
      index_t const origin = plan.origin(s.length(), i);
      auto const context = s.variable(v).subspan(static_cast<std::size_t>(origin - plan.context),
                                                 static_cast<std::size_t>(plan.context));
      if (std::all_of(context.begin(), context.end(), [](double x) { return std::isnan(x); }))
        throw mae::config_error(
            mae::in_quotes(s.names[static_cast<std::size_t>(v)]) + ": all " +
            std::to_string(plan.context) + " values of its context" +
            (s.time.has_stamps() ? " before " + mae::stamp_of(s.time, origin) : "") +
            " are missing: there is nothing to forecast it from; --column names other columns");
    }
}

mae::forecast_values said_of_plan(forecast_run const& run,
                                  mae::series const& s,
                                  mae::backtest_plan const& plan) {
  require_values(s, plan);
  bool const is_joint = run.options().together != mae::variable_rule::each;
  std::vector<double> contexts;
  if (is_joint) contexts = mae::joint_contexts(s, plan);
  for (index_t v = 0; !is_joint && v < s.variables(); ++v) {
    auto const own = mae::backtest_contexts(s, v, plan);
    contexts.insert(contexts.end(), own.begin(), own.end());
  }
  auto said = said_of(run, {contexts.data(), s.variables() * plan.windows, plan.context});
  if (!is_joint) return said;
  mae::forecast_values sorted{mae::by_variable(said.values, s.variables(), plan)};
  for (std::size_t k = 0; k < said.quantiles.size(); k += said.values.size()) {
    auto const own = mae::by_variable(
        std::span(said.quantiles).subspan(k, said.values.size()), s.variables(), plan);
    sorted.quantiles.insert(sorted.quantiles.end(), own.begin(), own.end());
  }
  return sorted;
}

/// What baselines may learn from: the windows whose errors give their quantiles are kept from them
/// also where the model's are learnt.
index_t learnt_by_others(forecast_run const& run) {
  return run.limited(run.asked.quantiles.empty()
                         ? run.before_graded()
                         : run.calibration().first_origin(run.before_graded()));
}

/// Adds quantiles by errors where they are asked for.
graded_forecast with_quantiles(forecast_run const& run, std::string name, forecast_method say) {
  if (run.asked.quantiles.empty() || (name == own_name && run.has_learnt_quantiles()))
    return {std::move(name), std::move(say)};
  auto const before = first_values(run.data, run.before_graded());
  auto const plan = run.calibration();
  mae::require_room(plan, before.length(), "the quantiles' own backtest");
  mae::error_quantiles const quantiles(before, plan, say(before, plan).values, run.asked.quantiles);
  for (index_t v = 0; v < run.data.variables() && name == own_name; ++v) {
    index_t none = 0;
    for (index_t h = 0; h < plan.horizon; ++h)
      none += std::isnan(quantiles.offset(v, h, 0)) ? 1 : 0;
    if (none > 0)
      std::cerr << "left out: quantiles of "
                << mae::in_quotes(run.data.names[static_cast<std::size_t>(v)]) << " at " << none
                << " of " << plan.horizon
                << " steps: no value is known in the windows whose errors give them\n";
  }
  return {std::move(name),
          [say = std::move(say), quantiles](mae::series const& s, mae::backtest_plan const& of) {
            auto said = say(s, of);
            said.quantiles = quantiles.around(said.values, of.windows);
            return said;
          }};
}

}  // namespace

graded_forecast own_forecast(forecast_run const& run) {
  if (!run.asked.quantiles.empty())
    std::cout << "quantiles "
              << (run.has_learnt_quantiles()
                      ? "as the model has learnt them\n"
                      : "by the errors of " + std::to_string(run.calibration().windows) +
                            " windows before " +
                            (run.asked.backtest > 0 ? "those that are graded\n" : "the end\n"));
  return with_quantiles(
      run, own_name, [&run](mae::series const& s, mae::backtest_plan const& plan) {
        return said_of_plan(run, s, plan);
      });
}

mae::forecast_values said_from(forecast_run const& run,
                               graded_forecast const& own,
                               index_t origin) {
  // A series that ends with a horizon after the context, which is not looked at.
  mae::series window{.names = run.data.names};
  for (index_t v = 0; v < run.data.variables(); ++v) {
    auto const before = run.data.variable(v).subspan(static_cast<std::size_t>(origin - run.context),
                                                     static_cast<std::size_t>(run.context));
    window.values.insert(window.values.end(), before.begin(), before.end());
    window.values.resize(window.values.size() + static_cast<std::size_t>(run.asked.horizon));
  }
  auto plan = run.plan();
  plan.windows = 1;
  return own.say(window, plan);
}

namespace {

forecast_method of_each(mae::window_forecast forecast) {
  return [forecast = std::move(forecast)](mae::series const& s, mae::backtest_plan const& plan) {
    return mae::forecast_values{mae::said_of_each(s, plan, forecast)};
  };
}

/// What the model is to be better than.
std::vector<graded_forecast> baselines(forecast_run const& run) {
  auto const horizon = run.asked.horizon;
  auto const period = run.plan().period;
  std::vector<graded_forecast> methods;
  // A model that has learnt quantiles needs no windows for them, as these do.
  bool const has_room = learnt_by_others(run) >= run.context + 2 * horizon;
  auto const add = [&](char const* name, mae::window_forecast forecast) {
    auto say = of_each(std::move(forecast));
    if (has_room)
      methods.push_back(with_quantiles(run, name, std::move(say)));
    else
      methods.push_back({name, std::move(say)});
  };
  add("last value", [=](index_t, view contexts) { return mae::repeat_last(contexts, horizon); });
  if (period > 1)
    add("last period",
        [=](index_t, view contexts) { return mae::repeat_last(contexts, horizon, period); });
  try {
    std::vector<mae::linear_forecast> linear;
    for (index_t v = 0; v < run.data.variables(); ++v)
      linear.emplace_back(run.data.variable(v).first(static_cast<std::size_t>(
                              has_room ? learnt_by_others(run) : run.limited(run.before_graded()))),
                          run.context,
                          horizon);
    add("linear", [linear](index_t variable, view contexts) {
      return linear[static_cast<std::size_t>(variable)](contexts);
    });
  } catch (mae::config_error const& error) {
    std::cout << "left out: linear: " << error.what() << '\n';
  }
  return methods;
}

}  // namespace

void grade(forecast_run const& run, graded_forecast const& own) {
  auto const plan = run.plan();
  auto const& data = run.data;
  mae::require_room(plan, data.length());
  index_t const first = plan.first_origin(data.length());
  std::cout << "backtest: " << plan.windows << " windows, " << plan.step()
            << " values from one to the next, the first forecast from "
            << mae::stamp_of(data.time, first) << " on; errors in deviations of "
            << (plan.unit_values > 0
                    ? "the first " + std::to_string(plan.units(data.length())) + " values"
                    : "what lies before")
            << ", MASE in its mean difference of "
            << "values " << plan.period << " apart\n";
  auto methods = baselines(run);
  methods.insert(methods.begin(), own);
  std::vector<graded_row> rows;
  std::vector<std::vector<double>> quantiles;
  for (auto const& method : methods) {
    auto said = method.say(data, plan);
    rows.push_back({method.name, mae::grade(data, plan, said.values)});
    quantiles.push_back(std::move(said.quantiles));
  }
  mae::keep_common(quantiles);
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!quantiles[i].empty())
      rows[i].quantiles = mae::grade_quantiles(data, plan, run.asked.quantiles, quantiles[i]);
  print_scores(std::cout, rows);
}

}  // namespace tools
