#include "loss_chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pretrain {

std::vector<chart_point> smoothed(std::vector<training_record> const& records,
                                  double training_record::*value) {
  constexpr std::size_t most_points = 300;
  std::size_t const bucket =
      std::max<std::size_t>(1, (records.size() + most_points - 1) / most_points);
  std::vector<chart_point> points;
  for (std::size_t first = 0; first < records.size(); first += bucket) {
    chart_point sum;
    int count = 0;
    for (std::size_t i = first; i < std::min(first + bucket, records.size()); ++i) {
      if (!std::isfinite(records[i].*value)) continue;
      sum.x += records[i].epoch;
      sum.y += records[i].*value;
      ++count;
    }
    if (count > 0) points.push_back({sum.x / count, sum.y / count});
  }
  return points;
}

chart loss_chart(training_history const& history) {
  chart_series training{"training loss",
                        "#1f77b4",
                        series_style::line,
                        smoothed(history.training, &training_record::loss)};
  chart_series heldout{"held-out loss", "#d62728", series_style::line_with_points, {}};
  chart_series baseline{"predicting zero", "#555555", series_style::dashed, {}};
  for (heldout_record const& record : history.heldout) {
    heldout.points.push_back({record.epoch, record.loss});
    baseline.points.push_back({record.epoch, record.baseline});
  }
  if (!history.heldout.empty()) {  // the baseline is a property of the data: draw it from the start
    baseline.points.insert(baseline.points.begin(), {0, history.heldout.front().baseline});
  }
  return {"Loss of painted patches", "epoch", "mean squared error", {training, heldout, baseline}};
}

}  // namespace pretrain
