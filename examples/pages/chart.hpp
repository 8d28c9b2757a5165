#pragma once

#include <string>
#include <vector>

namespace pretrain {

struct chart_point {
  double x = 0;
  double y = 0;
};

enum class series_style { line, line_with_points, dashed };

struct chart_series {
  std::string name;
  std::string colour;  // as in SVG: "#1f77b4"
  series_style style = series_style::line;
  std::vector<chart_point> points;  // by rising x; a point that is not finite is left out
};

struct chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<chart_series> series;
};

/// About `count` round numbers (1, 2 or 5 times a power of ten apart) that cover [low, high], the
/// first not above `low`, the last not below `high`.
std::vector<double> nice_ticks(double low, double high, int count);

/// Draws a chart as SVG, on white, so that it can be read on a dark page too.
std::string render_svg(chart const& drawn);

}  // namespace pretrain
