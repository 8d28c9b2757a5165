#include "figure.hpp"

#include "chart_axis.hpp"
#include "markup.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace pretrain {
namespace {

// In SVG units, which are about a pixel.
constexpr double figure_width = 360;
constexpr double figure_height = 216;
constexpr double figure_left = 46;
constexpr double figure_right = 350;
constexpr double figure_top = 24;
constexpr double figure_bottom = 176;

/// For who cannot see it: "training loss from 1.02 to 0.451".
std::string in_words(chart const& drawn) {
  constexpr int digits = 3;
  std::string words = drawn.title + " (" + drawn.y_label + " by " + drawn.x_label + ")";
  for (auto const& series : drawn.series) {
    auto const first = std::ranges::find_if(series.points, is_finite);
    auto const last = std::find_if(series.points.rbegin(), series.points.rend(), is_finite);
    words += "; " + series.name;
    if (first == series.points.end()) {
      words += ": nothing yet";
      continue;
    }
    words += " from " + number_text(first->y, digits) + " to " + number_text(last->y, digits);
  }
  return words;
}

class figure_drawing {
 public:
  explicit figure_drawing(chart const& drawn)
      : x_(make_axis(drawn.series, &chart_point::x, 5, figure_left, figure_right)),
        y_(make_axis(drawn.series, &chart_point::y, 4, figure_bottom, figure_top)) {
    out_ << "<svg viewBox=\"0 0 " << figure_width << ' ' << figure_height
         << R"(" role="img" aria-label=")" << escaped(in_words(drawn))
         << R"(">)"
            "\n"
         << std::fixed << std::setprecision(1);
    draw_axes(drawn);
    std::size_t number = 0;
    for (auto const& series : drawn.series) draw(series, number++, drawn);
    out_ << "</svg>\n";
  }
  std::string text() const { return out_.str(); }

 private:
  void write(double x, double y, char const* anchor, std::string const& words) {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\">"
         << escaped(words) << "</text>\n";
  }
  void draw_axes(chart const& drawn) {
    for (double const tick : y_.ticks) {
      out_ << R"(<path class="grid" d="M)" << figure_left << ' ' << y_.place(tick) << 'H'
           << figure_right << "\"/>\n";
      write(figure_left - 6, y_.place(tick) + 4, "end", tick_text(tick));
    }
    for (double const tick : x_.ticks) {
      out_ << R"(<path class="axis" d="M)" << x_.place(tick) << ' ' << figure_bottom
           << R"(v4"/>)"
              "\n";
      write(x_.place(tick), figure_bottom + 17, "middle", tick_text(tick));
    }
    out_ << R"(<path class="axis" d="M)" << figure_left << ' ' << figure_bottom << 'H'
         << figure_right << "\"/>\n";
    write((figure_left + figure_right) / 2, figure_bottom + 35, "middle", drawn.x_label);
    write(4, 12, "start", drawn.y_label);
  }
  void draw(chart_series const& series, std::size_t number, chart const& drawn) {
    constexpr int digits = 4;
    out_ << "<g class=\"" << figure_look(series, number) << "\"><polyline points=\"";
    for (auto const& point : series.points)
      if (is_finite(point)) out_ << x_.place(point.x) << ',' << y_.place(point.y) << ' ';
    out_ << "\"/>\n";
    if (series.style == series_style::line_with_points)
      for (auto const& point : series.points)
        if (is_finite(point))
          out_ << "<circle cx=\"" << x_.place(point.x) << "\" cy=\"" << y_.place(point.y)
               << R"(" r="3"><title>)"
               << escaped(series.name + ": " + number_text(point.y, digits) + " (" + drawn.x_label +
                          ' ' + number_text(point.x, digits) + ')')
               << "</title></circle>\n";
    out_ << "</g>\n";
  }

  chart_axis x_;
  chart_axis y_;
  std::ostringstream out_;
};

}  // namespace

std::string_view figure_look(chart_series const& series, std::size_t number) {
  constexpr std::array<std::string_view, 4> looks{"c0", "c1", "c2", "c3"};
  return series.style == series_style::dashed ? "base" : looks[number % looks.size()];
}

std::string render_figure(chart const& drawn) {
  return figure_drawing(drawn).text();
}

std::string number_text(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  std::ostringstream text;
  text << std::setprecision(digits) << value;
  return text.str();
}

}  // namespace pretrain
