#pragma once

#include "chart.hpp"

#include <string>
#include <vector>

// What drawings of charts share.

namespace pretrain {

/// One axis: data from ticks.front() to ticks.back() onto [from, to] of the drawing.
struct chart_axis {
  std::vector<double> ticks;
  double from = 0;
  double to = 0;

  double place(double value) const {
    return from + (value - ticks.front()) / (ticks.back() - ticks.front()) * (to - from);
  }
};

bool is_finite(chart_point const& point);

/// An axis of about `ticks` ticks for one coordinate of all series.
chart_axis make_axis(std::vector<chart_series> const& all,
                     double chart_point::*coordinate,
                     int ticks,
                     double from,
                     double to);

/// A tick's number without the noise of binary fractions: "0.3", "1500".
std::string tick_text(double value);

}  // namespace pretrain
