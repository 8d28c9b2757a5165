#include "target_health.hpp"

#include "feature_health.hpp"

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <limits>
#include <sstream>
#include <vector>

namespace pretrain {
namespace {

using mae::index_t;

/// Takes each column's mean from it; returns the mean over columns of their variances.
double centre(std::vector<float>& rows, index_t width) {
  auto const columns = static_cast<std::size_t>(width);
  double const count = static_cast<double>(rows.size()) / static_cast<double>(columns);
  double total = 0;
  for (std::size_t k = 0; k < columns; ++k) {
    double sum = 0;
    for (std::size_t i = k; i < rows.size(); i += columns) sum += rows[i];
    double const mean = sum / count;
    for (std::size_t i = k; i < rows.size(); i += columns) {
      double const difference = rows[i] - mean;
      total += difference * difference;
      rows[i] = static_cast<float>(difference);
    }
  }
  return total / static_cast<double>(rows.size());
}

/// Every so manieth row, at most 256.
std::vector<float> some_of(std::vector<float> const& rows, index_t width) {
  constexpr index_t most = 256;
  index_t const count = std::ssize(rows) / width;
  index_t const step = mae::ceil_div(count, most);
  std::vector<float> some;
  for (index_t i = 0; i < count; i += step)
    some.insert(some.end(), rows.begin() + i * width, rows.begin() + (i + 1) * width);
  return some;
}

}  // namespace

target_health measure_targets(target_sample const& sample, mae::mask_plan const& plan) {
  index_t const width = sample.width;
  std::vector<float> targets;
  for (index_t i = 0; i < plan.images(); ++i)
    for (auto const patch : plan.target(i)) {
      auto const first = sample.targets.begin() + (i * plan.patches() + patch) * width;
      targets.insert(targets.end(), first, first + width);
    }
  auto predictions = sample.predictions;
  target_health health{.target_variance = centre(targets, width),
                       .prediction_variance = centre(predictions, width),
                       .prediction_rank = std::numeric_limits<double>::quiet_NaN()};
  auto const some = some_of(predictions, width);
  if (std::isfinite(health.prediction_variance))
    health.prediction_rank = effective_rank({some.data(), std::ssize(some) / width, width});
  return health;
}

std::string collapse_in(std::span<health_record const> records) {
  // In its first hundred steps a decoder learns the targets' mean, and says little else: trainings
  // that go well were seen to pass through a thousandth of the targets' variance.
  constexpr double little = 1e-4;
  constexpr double fallen = 0.25;
  if (records.empty()) return {};
  auto const& last = records.back();
  auto const most = [&](double health_record::*value) {
    double greatest = 0;
    for (auto const& record : records) greatest = std::max(greatest, record.*value);
    return greatest;
  };
  auto const text = [](double value) {
    std::ostringstream rounded;
    rounded << std::setprecision(3) << value;
    return rounded.str();
  };
  if (last.target_variance <= 0)
    return "the targets of all held-out patches are the same: there is nothing to learn";
  if (last.target_variance < little * most(&health_record::target_variance))
    return "targets have collapsed: their variance is " + text(last.target_variance) + ", it was " +
           text(most(&health_record::target_variance));
  if (last.epoch >= 1 && last.prediction_variance < little * last.target_variance)
    return "predictions have collapsed: their variance is " + text(last.prediction_variance) +
           ", the targets' " + text(last.target_variance);
  if (last.deviation < little ||
      (last.effective_rank < 2 &&
       last.effective_rank < fallen * most(&health_record::effective_rank)))
    return "features have collapsed: their effective rank is " + text(last.effective_rank) +
           ", their deviation on the unit sphere " + text(last.deviation);
  return {};
}

}  // namespace pretrain
