#include "forecast_run.hpp"

#include "assumed.hpp"
#include "forecast_output.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/series/baselines.hpp>
#include <mae/series/frequency.hpp>
#include <mae/series/period.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/time_axis.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace tools {
namespace {

using mae::index_t;
using view = mae::matrix_view<double const>;

/// The period that was asked for, or that of the first column which has one, in what lies before
/// the windows that are graded.
index_t choose_period(forecast_run const& run) {
  auto const& o = run.asked;
  auto const& data = run.data;
  if (o.period > 0) return o.period;
  auto time = data.time;
  if (!o.frequency.empty()) {
    time.step = mae::parse_step(o.frequency);
    if (!time.has_stamps()) time.stamps.resize(1);
  }
  auto const length = std::max<index_t>(1, run.before_graded());
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

}  // namespace

void train_model(forecast_run& run) {
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
  if (run.asked.backtest > 0) mae::require_room(run.plan(), run.data.length());
  if (!run.asked.quantiles.empty()) mae::require_room(run.calibration(), run.before_graded());
  run.model = train_forecast_model(run.data, run.learnt(), options, std::cout);
  run.context = options.windows.context;
}

void open_model(forecast_run& run) {
  auto const& o = run.asked;
  run.model = open_forecast_model(o.model, o.known, o.training.threads, std::cerr);
  if (!run.model.windows) {
    run.period = choose_period(run);
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
  if (o.backtest > 0 || !o.quantiles.empty())
    pretrain::say_assumed(std::cerr,
                          "the model has learnt from none of the windows that are graded, or that "
                          "quantiles come from: its file does not say; --train keeps them apart");
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

/// Where --quantiles asks for them.
void add_quantiles(forecast_run const& run, graded_forecast& method) {
  if (run.asked.quantiles.empty()) return;
  auto const before = first_values(run.data, run.before_graded());
  method.quantiles.emplace(before, run.calibration(), method.forecast, run.asked.quantiles);
}

}  // namespace

graded_forecast own_forecast(forecast_run const& run) {
  graded_forecast own{"the model", [&run](index_t, view contexts) { return run.said(contexts); }};
  add_quantiles(run, own);
  return own;
}

namespace {

/// The model, and what it is to be better than.
std::vector<graded_forecast> methods_of(forecast_run const& run) {
  auto const horizon = run.asked.horizon;
  auto const period = run.plan().period;
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

}  // namespace

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
  std::vector<graded_row> rows;
  for (auto const& method : methods_of(run)) {
    rows.push_back({method.name, mae::backtest(data, plan, method.forecast)});
    if (method.quantiles)
      rows.back().quantiles = mae::grade_quantiles(data, plan, method.forecast, *method.quantiles);
  }
  print_scores(std::cout, rows);
}

}  // namespace tools
