#pragma once

#include "chart.hpp"
#include "metrics.hpp"

#include <vector>

namespace pretrain {

/// A value over the epochs: means of neighbouring steps, as many as it takes to be left with 300
/// points at most. Records without a finite value count for nothing.
std::vector<chart_point> smoothed(std::vector<training_record> const& records,
                                  double training_record::*value);

/// The losses of a training over its epochs: training (means of neighbouring steps, 300 points at
/// most), held-out, and the held-out baseline.
chart loss_chart(training_history const& history);

}  // namespace pretrain
