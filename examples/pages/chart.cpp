#include "chart.hpp"

#include "chart_axis.hpp"
#include "markup.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <iomanip>
#include <sstream>
#include <string_view>

namespace pretrain {
namespace {

// The page and the plot's frame in it, in SVG units.
constexpr double page_width = 800;
constexpr double page_height = 480;
constexpr double title_line = 26;
constexpr double legend_line = 50;
constexpr double frame_left = 70;
constexpr double frame_right = 780;
constexpr double frame_top = 72;
constexpr double frame_bottom = 420;

constexpr double rounding = 1e-9;  // a share of a tick that is not worth another tick

/// SVG written piece by piece.
class svg_page {
 public:
  svg_page() {
    out_ << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << page_width << ' '
         << page_height << "' width='" << page_width << "' height='" << page_height
         << "' font-family='sans-serif' font-size='13' fill='#333'>\n"
         << "<rect width='100%' height='100%' fill='#fff'/>\n"
         << std::fixed << std::setprecision(1);
  }

  void line(chart_point from, chart_point to, std::string_view look) {
    out_ << "<line x1='" << from.x << "' y1='" << from.y << "' x2='" << to.x << "' y2='" << to.y
         << "' " << look << "/>\n";
  }
  void text(chart_point at,
            std::string_view anchor,
            std::string_view words,
            std::string_view look) {
    out_ << "<text x='" << at.x << "' y='" << at.y << "' text-anchor='" << anchor << "' " << look
         << '>' << escaped(words) << "</text>\n";
  }
  void polyline(std::vector<chart_point> const& points, std::string_view look) {
    out_ << "<polyline points='";
    for (chart_point const& point : points) out_ << point.x << ',' << point.y << ' ';
    out_ << "' fill='none' " << look << "/>\n";
  }
  void dot(chart_point at, std::string_view colour) {
    out_ << "<circle cx='" << at.x << "' cy='" << at.y << "' r='3.5' fill='" << colour << "'/>\n";
  }
  std::string finish() { return out_.str() + "</svg>\n"; }

 private:
  std::ostringstream out_;
};

void draw_axes(svg_page& page, chart const& drawn, chart_axis const& x, chart_axis const& y) {
  for (double const tick : y.ticks) {
    double const height = y.place(tick);
    page.line({x.from, height}, {x.to, height}, "stroke='#ddd'");
    page.text({x.from - 8, height + 4}, "end", tick_text(tick), "");
  }
  for (double const tick : x.ticks) {
    double const place = x.place(tick);
    page.line({place, y.from}, {place, y.from + 5}, "stroke='#333'");
    page.text({place, y.from + 20}, "middle", tick_text(tick), "");
  }
  page.line({x.from, y.from}, {x.to, y.from}, "stroke='#333'");
  page.line({x.from, y.from}, {x.from, y.to}, "stroke='#333'");
  double const middle = (x.from + x.to) / 2;
  page.text({middle, title_line}, "middle", drawn.title, "font-size='16' font-weight='bold'");
  page.text({middle, y.from + 44}, "middle", drawn.x_label, "");
  page.text({0, 0},
            "middle",
            drawn.y_label,
            "transform='translate(20 " + std::to_string((y.from + y.to) / 2) + ") rotate(-90)'");
}

std::string stroke_of(chart_series const& series) {
  std::string look = "stroke='" + series.colour + "' stroke-width='2'";
  if (series.style == series_style::dashed) look += " stroke-dasharray='7 5'";
  return look;
}

void draw_series(svg_page& page,
                 chart_series const& series,
                 chart_axis const& x,
                 chart_axis const& y) {
  std::vector<chart_point> places;
  for (chart_point const& point : series.points)
    if (is_finite(point)) places.push_back({x.place(point.x), y.place(point.y)});
  page.polyline(places, stroke_of(series));
  if (series.style != series_style::line_with_points) return;
  for (chart_point const& place : places) page.dot(place, series.colour);
}

void draw_legend(svg_page& page, std::vector<chart_series> const& all) {
  constexpr double entry_width = 190;
  constexpr double line_height = 16;
  constexpr std::size_t most_in_line = 4;
  std::size_t const lines = (all.size() + most_in_line - 1) / most_in_line;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::size_t const line = i / most_in_line;
    auto const in_line =
        static_cast<double>(std::min(most_in_line, all.size() - line * most_in_line));
    double const left = (frame_left + frame_right - entry_width * in_line) / 2 +
                        entry_width * static_cast<double>(i % most_in_line);
    double const height = legend_line + line_height * (static_cast<double>(line) -
                                                       static_cast<double>(lines - 1) / 2);
    page.line({left, height}, {left + 28, height}, stroke_of(all[i]));
    if (all[i].style == series_style::line_with_points)
      page.dot({left + 14, height}, all[i].colour);
    page.text({left + 35, height + 4}, "start", all[i].name, "");
  }
}

/// The least of 1, 2, 5, 10 that is not below `factor` (but for rounding), which is in [1, 10).
double round_up_to_nice(double factor) {
  for (double const nice : {1.0, 2.0, 5.0})
    if (factor <= nice * (1 + rounding)) return nice;
  return 10.0;
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
  if (!(high > low)) {  // one value: show its surroundings
    double const margin = low == 0 ? 1 : std::abs(low) / 2;
    low -= margin;
    high += margin;
  }
  double const rough = (high - low) / count;
  double const power = std::pow(10.0, std::floor(std::log10(rough)));
  double const factor = rough / power;  // in [1, 10)
  double const step = power * round_up_to_nice(factor);
  auto const first = static_cast<long long>(std::floor(low / step + rounding));
  auto const last = static_cast<long long>(std::ceil(high / step - rounding));
  std::vector<double> ticks;
  for (long long i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::string render_svg(chart const& drawn) {
  chart_axis const x = make_axis(drawn.series, &chart_point::x, 8, frame_left, frame_right);
  chart_axis const y = make_axis(drawn.series, &chart_point::y, 7, frame_bottom, frame_top);
  svg_page page;
  draw_axes(page, drawn, x, y);
  for (chart_series const& series : drawn.series) draw_series(page, series, x, y);
  draw_legend(page, drawn.series);
  return page.finish();
}

}  // namespace pretrain
