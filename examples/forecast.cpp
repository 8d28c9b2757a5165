// Trains a model on windows of a series, forecasts what comes, fills what is missing and grades it.
// Checks that it is better than the last period.
#include <mae/mae.hpp>
#include <mae/series.hpp>

#include <cmath>
#include <cstddef>
#include <fstream>
#include <iostream>
#include <limits>
#include <vector>

/// Twelve weeks of hours: a day's course on a slower one.
void write_hours(char const* path) {
  std::ofstream file(path);
  file << "date,load\n";
  mae::random_stream random({.seed = 1, .use = mae::purpose::synthetic});
  mae::time_axis const begin{.stamps = {1'609'459'200}, .step = {mae::step_unit::hour, 1}};
  auto const stamps = mae::stamps_after(begin, 1, 2'016);
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    auto const t = static_cast<double>(i);
    file << stamps[i] << ',';
    if (i % 500 < 490)  // what was not measured
      file << 50 + 10 * std::sin(t / 24 * 6.2832) + 8 * std::sin(t / 17) + 0.5 * random.normal();
    file << '\n';
  }
}

int main() {
  write_hours("hours.csv");
  // [train]
  auto const hours = mae::read_series("hours.csv", {.columns = {"load"}});
  auto const found = mae::find_period(hours.variable(0), hours.time, 500);
  std::cout << "period " << found.period << ": " << found.why << "\n";

  mae::window_options const windows{.context = 7 * found.period,
                                    .horizon = 24,
                                    .period = found.period,
                                    .patch = mae::patch_for(found.period)};
  mae::backtest_plan const last_days{
      .context = windows.context, .horizon = windows.horizon, .period = found.period, .windows = 7};
  mae::series_windows const images(hours, windows, last_days.first_origin(hours.length()));
  mae::series_model<> network(windows,
                              {.seed = 1,
                               .encoder = {.depth = 2, .width = 64, .heads = 4},
                               .decoder = {.depth = 1, .width = 48, .heads = 4}});
  auto options = mae::window_training(images, /*steps=*/200);
  options.lr = 3e-3;
  mae::trainer training(network, images, options);
  training.run();
  // [/train]

  // [use]
  auto const painter = mae::painter_of(network);
  auto const model = [&](mae::index_t, mae::matrix_view<double const> contexts) {
    return mae::forecast(painter, contexts, windows.options());
  };
  auto const last_period = [&](mae::index_t, mae::matrix_view<double const> contexts) {
    return mae::repeat_last(contexts, windows.horizon, windows.period);
  };
  auto const own = mae::backtest(hours, last_days, model);
  auto const naive = mae::backtest(hours, last_days, last_period);
  std::cout << "MASE " << own.mase << "  (last period: " << naive.mase << ")\n";

  auto const whole = mae::impute(painter, hours.variable(0), windows.options());
  std::cout << "filled " << whole.filled << " missing values\n";
  // [/use]
  return own.mase < naive.mase && whole.filled > 0 && whole.left == 0 ? 0 : 1;
}
