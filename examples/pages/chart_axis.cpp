#include "chart_axis.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

namespace pretrain {

bool is_finite(chart_point const& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

chart_axis make_axis(std::vector<chart_series> const& all,
                     double chart_point::*coordinate,
                     int ticks,
                     double from,
                     double to) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (chart_series const& series : all) {
    for (chart_point const& point : series.points) {
      if (!is_finite(point)) continue;
      low = std::min(low, point.*coordinate);
      high = std::max(high, point.*coordinate);
    }
  }
  if (!(low <= high)) low = 0, high = 1;  // nothing to draw yet
  return {nice_ticks(low, high, ticks), from, to};
}

std::string tick_text(double value) {
  std::ostringstream text;
  text << std::setprecision(6) << value;
  return text.str();
}

}  // namespace pretrain
