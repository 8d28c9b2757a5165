#pragma once

#include <mae/train/report.hpp>

#include <optional>

namespace pretrain {

/// Images a second of training steps alone, data and masks included.
class training_speed {
 public:
  void add(mae::step_report const& report) {
    auto const images = static_cast<double>(report.images);
    constexpr double inertia = 0.9;
    double const now = images / report.seconds;
    recent_ = recent_ ? inertia * *recent_ + (1 - inertia) * now : now;
    if (++steps_ <= warm_up) return;
    images_ += images;
    seconds_ += report.seconds;
  }

  /// Of the last steps, for the time left; 0 before the first step.
  double recent() const { return recent_.value_or(0); }
  /// Of all steps after the first three, which warm caches up and allocate.
  std::optional<double> overall() const {
    if (seconds_ <= 0) return recent_;
    return images_ / seconds_;
  }

 private:
  static constexpr int warm_up = 3;

  int steps_ = 0;
  double images_ = 0;
  double seconds_ = 0;
  std::optional<double> recent_;
};

}  // namespace pretrain
