#include "chart.hpp"

#include "loss_chart.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace {

using pretrain::chart_series;
using pretrain::nice_ticks;
using pretrain::series_style;

std::size_t occurrences(std::string const& text, std::string const& words) {
  std::size_t count = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
  return count;
}

void check_ticks(std::vector<double> const& ticks, std::vector<double> const& expected) {
  REQUIRE(ticks.size() == expected.size());
  for (std::size_t i = 0; i < ticks.size(); ++i)
    CHECK(ticks[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("ticks are round numbers that cover the range") {
  check_ticks(nice_ticks(0, 20, 8), {0, 5, 10, 15, 20});
  check_ticks(nice_ticks(0.39, 0.99, 7), {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0});
  check_ticks(nice_ticks(-3, 4, 4), {-4, -2, 0, 2, 4});
  check_ticks(nice_ticks(0.3, 0.9, 6), {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9});
}

TEST_CASE("a single value has ticks around it") {
  auto const ticks = nice_ticks(0.5, 0.5, 5);
  CHECK(ticks.front() < 0.5);
  CHECK(ticks.back() > 0.5);
  CHECK(nice_ticks(0, 0, 5).size() > 1);
}

TEST_CASE("a chart draws its series on white, and leaves out what is not finite") {
  double const nothing = std::numeric_limits<double>::quiet_NaN();
  pretrain::chart const drawn = {
      "title <&>",
      "x",
      "y",
      {{"one", "#010203", series_style::line_with_points, {{0, 1}, {1, nothing}, {2, 3}}},
       {"two", "#040506", series_style::dashed, {{0, 2}, {2, 2}}}}};
  std::string const svg = render_svg(drawn);
  CHECK(svg.find("<svg xmlns=") == 0);
  CHECK(svg.find("</svg>") != std::string::npos);
  CHECK(svg.find("fill='#fff'") != std::string::npos);
  CHECK(svg.find("title &lt;&amp;&gt;") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(occurrences(svg, "<polyline") == 2);
  CHECK(occurrences(svg, "<circle") == 3);  // two points and the legend's
  CHECK(occurrences(svg, "stroke-dasharray") == 2);
  CHECK(svg.find("70.0,") != std::string::npos);  // the first point, on the left edge
  CHECK(svg.find("780.0,") != std::string::npos);
}

TEST_CASE("a chart without any point is still a chart") {
  std::string const svg = render_svg(pretrain::loss_chart({}));
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(svg.find("</svg>") != std::string::npos);
}

TEST_CASE("a legend of many series goes on in another line, within the page") {
  pretrain::chart drawn{"t", "x", "y", {}};
  for (int i = 0; i < 6; ++i)
    drawn.series.push_back({std::to_string(i), "#000", series_style::line, {{0, 0}, {1, 1}}});
  std::string const svg = render_svg(drawn);
  std::set<std::string> places;
  std::string const start = "' text-anchor='start'";
  for (auto at = svg.find(start); at != std::string::npos; at = svg.find(start, at + 1)) {
    auto const place = svg.substr(svg.rfind("x='", at) + 3, at - svg.rfind("x='", at) - 3);
    CHECK(std::stod(place) > 0);
    CHECK(std::stod(place) < 700);
    CHECK(std::stod(place.substr(place.find("y='") + 3)) < 72);
    places.insert(place);
  }
  CHECK(places.size() == 6);
}

TEST_CASE("the loss chart averages many steps and draws the baseline from the start") {
  pretrain::training_history history;
  for (std::int64_t step = 1; step <= 3000; ++step)
    history.training.push_back({.step = step,
                                .epoch = static_cast<double>(step) / 300,
                                .loss = step % 2 == 0 ? 1.0 : 0.0});
  history.heldout.push_back({.step = 300, .epoch = 1, .loss = 0.6, .baseline = 0.9});
  auto const drawn = pretrain::loss_chart(history);
  REQUIRE(drawn.series.size() == 3);
  chart_series const& training = drawn.series[0];
  CHECK(training.points.size() == 300);
  for (auto const& point : training.points) CHECK(point.y == doctest::Approx(0.5));
  CHECK(drawn.series[1].points.size() == 1);
  chart_series const& baseline = drawn.series[2];
  REQUIRE(baseline.points.size() == 2);
  CHECK(baseline.points[0].x == 0);
  CHECK(baseline.points[0].y == 0.9);
}

}  // namespace
