#pragma once

#include <mae/core/types.hpp>

#include <cmath>
#include <cstdint>
#include <numbers>

namespace mae {

/// The learning rate of each optimizer step: linear from 0 over the warm-up, then half a cosine
/// down to 0 (Loshchilov and Hutter 2016, arXiv 1608.03983; the official code's
/// adjust_learning_rate).
struct cosine_schedule {
  double peak = 0;
  double warmup_steps = 0;
  double total_steps = 1;

  double operator()(std::int64_t step) const {
    auto const now = static_cast<double>(step);
    if (now < warmup_steps) return peak * now / warmup_steps;
    double const done = (now - warmup_steps) / (total_steps - warmup_steps);
    return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  }
};

}  // namespace mae
