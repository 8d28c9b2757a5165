// What ten million values hold in memory, beside their own 80 MB. A program of its own: the peak of
// a child begins at what its parent holds.

#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/baselines.hpp>
#include <mae/series/forecast.hpp>
#include <mae/series/learnt_series.hpp>
#include <mae/series/period.hpp>
#include <mae/series/pixel_painter.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/repaint.hpp>
#include <mae/series/series.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/windows.hpp>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace {

using mae::index_t;
constexpr index_t length = 10'000'000;
constexpr std::int64_t megabyte = 1'000'000;

double course(index_t i) {
  auto const t = static_cast<double>(i);
  return 20 + 5 * std::sin(t * 0.2617993878) + 0.5 * std::cos(t * t * 1e-3);
}
/// Every thousandth value is missing.
mae::series long_series() {
  mae::series s{.names = {"load"}};
  s.values.reserve(static_cast<std::size_t>(length));
  for (index_t i = 0; i < length; ++i)
    s.values.push_back(i % 1000 == 999 ? std::numeric_limits<double>::quiet_NaN() : course(i));
  return s;
}

constexpr mae::window_options windows{
    .context = 336, .horizon = 96, .period = 24, .patch = {.height = 12, .width = 1}};

/// A small model with random weights, on two threads, which paints columns alone too.
struct small_model {
  mae::series_model<> model{windows,
                            {.encoder = {.depth = 1, .width = 16, .heads = 2},
                             .decoder = {.depth = 1, .width = 16, .heads = 2}},
                            mae::eigen_backend<float>(2)};
  mae::pixel_painter painter = mae::painter_of(model);
};

/// The most memory, in bytes, of a process of its own that does this.
std::int64_t peak_of(std::function<bool()> const& work) {
  pid_t const child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool is_done = false;
    try {
      is_done = work();
    } catch (std::exception const&) {  // which is a failure
    }
    ::_exit(is_done ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  int status = 0;
  rusage used{};
  REQUIRE(wait4(child, &status, 0, &used) == child);
  CHECK(status == 0);
  return used.ru_maxrss * 1024;
}

void write_hours(std::string const& path) {
  std::ofstream file(path);
  file << "when,load\n";
  auto const begin = mae::parse_stamp("1000-01-01 00:00:00");
  REQUIRE(begin);
  for (index_t i = 0; i < length; ++i)
    file << mae::stamp_text(begin->seconds + 3600 * i, begin->format) << ',' << course(i) << '\n';
}

}  // namespace

TEST_CASE("ten million values are forecast, graded, filled and scored in bounded memory") {
  auto const options = windows.options();
  struct part {
    std::string name;
    std::function<bool(mae::series const&, mae::pixel_painter const&)> work;
  };
  std::vector<part> const parts{
      {"find_period",
       [](mae::series const& s, mae::pixel_painter const& /*painter*/) {
         return mae::find_period(s.variable(0), s.time, 10'000).period == 24;
       }},
      {"backtest",
       [&](mae::series const& s, mae::pixel_painter const& painter) {
         mae::backtest_plan const plan{
             .context = 336, .horizon = 96, .period = 24, .windows = 10'000, .stride = 100};
         auto const said = [&](index_t, mae::matrix_view<double const> contexts) {
           return mae::forecast(painter, contexts, options);
         };
         return painter.paint_columns && mae::backtest(s, plan, said).values > 0;
       }},
      {"linear_forecast",
       [](mae::series const& s, mae::pixel_painter const& /*painter*/) {
         return mae::linear_forecast(s.variable(0), 96, 24).ridge() > 0;
       }},
      {"series_windows",
       [](mae::series const& s, mae::pixel_painter const& /*painter*/) {
         return mae::series_windows(s, windows).size() > length / 2;
       }},
      {"learnt_from",
       [](mae::series const& s, mae::pixel_painter const& /*painter*/) {
         return !mae::learnt_from(s, length).runs.empty();
       }},
      {"impute",
       [&](mae::series const& s, mae::pixel_painter const& painter) {
         return mae::impute(painter, s.variable(0), options).filled == length / 1000;
       }},
      {"anomaly_scores",
       [&](mae::series const& s, mae::pixel_painter const& painter) {
         return mae::anomaly_scores(painter, s.variable(0), options).size() == s.values.size();
       }},
  };
  for (auto const& part : parts) {
    auto const peak = peak_of([&] {  // threads are the child's own
      small_model const model;
      return part.work(long_series(), model.painter);
    });
    MESSAGE(part.name, ": ", peak / megabyte, " MB");
    CHECK(peak <= 200 * megabyte);  // the series' 80 among them
  }
}

TEST_CASE("a table of ten million rows is read in bounded memory") {
  mae_test::temporary_folder const folder;
  auto const path = folder.file("series.csv");
  write_hours(path);
  auto const peak = peak_of([&] { return mae::read_series(path).length() == length; });
  MESSAGE("read_series: ", peak / megabyte, " MB");
  CHECK(peak <= 600 * megabyte);
}
