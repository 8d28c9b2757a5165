#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace pretrain {

/// What a training would be, as far as it is known before it begins.
struct training_plan {
  std::string title;  // the model, the images, what computes
  mae::index_t parameters = 0;
  mae::index_t step_images = 0;
  double step_flops = 0;
  std::string counted;      // which operations these are
  double step_seconds = 0;  // the mean of a few steps just now
  std::int64_t steps = 0;
  std::int64_t steps_done = 0;  // of a resumed training
  double epochs = 0;
  mae::index_t images = 0;  // of an epoch
  double seconds_left = 0;  // of steps alone
  std::string memory_note = {};
};

/// A few lines, with the memory that this process has had.
std::string to_text(training_plan const& plan);

/// Seconds of a step, which step() makes and returns: the mean of three, after one that warms up.
double time_of_step(std::function<double()> const& step);

/// The operations of the encoder for one image of which `visible` patches are seen, forward:
/// products alone, a multiply-add as two.
double encoder_flops(mae::model_config const& config, double visible);

/// The operations of a training step for one image of which `visible` patches are seen and
/// `predicted` hidden ones painted, none of a view that is encoded alone, and so many of those that
/// are seen: likewise, backward as twice forward.
double training_flops(mae::model_config const& config,
                      double visible,
                      double predicted,
                      double painted_visible = 0);
/// Likewise of a cross-attention decoder.
double cross_training_flops(mae::model_config const& config, double visible, double predicted);

}  // namespace pretrain
