#pragma once

#include <mae/core/types.hpp>
#include <mae/network/coupled_step.hpp>
#include <mae/train/gradient_products.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace mae {

/// What a step says of one head.
struct head_report {
  std::string_view name;
  double weight = 1;   // in this step; 0: it has no part in it
  double counted = 0;  // the rows over which the loss is the mean; with none it had no gradient
  double loss = 0;
  double baseline = 0;  // the same for predicting zero; 0 of a head that couples images
};

/// What one optimizer step says of itself.
struct step_report {
  std::int64_t step = 0;         // steps done, this one included
  std::int64_t total_steps = 0;  // of the whole training
  index_t epoch = 0;             // the epoch that this step belongs to, from 0
  bool ends_epoch = false;
  index_t images = 0;
  double loss = 0;           // the mean over the step's targets; of several heads the weighted sum
  double baseline = 0;       // the same for predicting zero
  double gradient_norm = 0;  // of that loss, before clipping
  double lr = 0;
  double seconds = 0;
  bool skipped = false;                          // not finite, and left out
  std::span<head_report const> heads = {};       // of a trainer: until its next step
  gradient_products const* gradients = nullptr;  // likewise, in a step that records them
};

/// The means of an epoch's steps, skipped ones left out; NaN where all were skipped.
struct epoch_report {
  index_t epoch = 0;  // from 0
  index_t steps = 0;
  double loss = 0;
  double baseline = 0;
};

/// What a training calls, each from the training's own thread; any may be empty.
struct training_callbacks {
  std::function<void(step_report const&)> on_step = {};
  std::function<void(epoch_report const&)> on_epoch = {};
  std::function<bool()> should_stop = {};  // asked after every step
};

/// A loss, and that of predicting zero for the same patches: what has learned nothing does not fall
/// below it.
struct heldout_loss {
  double loss = 0;
  double baseline = 0;
};

/// What a mask policy has not learned from yet: its gradient, summed over the images of the last
/// step. Of no images where there is none.
struct pending_mask_gradient {
  std::vector<double> sums = {};
  index_t images = 0;

  friend bool operator==(pending_mask_gradient const&, pending_mask_gradient const&) = default;
};

/// Where a training stands: with parameters, moments and what a mask has learned, all that an exact
/// resume needs. Order, augmentation and masks follow from the step.
struct training_progress {
  std::int64_t step = 0;             // steps done
  std::int64_t optimizer_steps = 0;  // without the skipped ones
  index_t epoch_steps = 0;           // since the epoch began, without the skipped ones
  double epoch_loss = 0;             // summed over those steps
  double epoch_baseline = 0;
  pending_mask_gradient mask = {};
  std::vector<double> norms = {};  // of balanced_shares: an average for each head of the network
  key_queue keys = {};             // of a head that compares with those of earlier steps

  void begin_epoch() {
    epoch_steps = 0;
    epoch_loss = 0;
    epoch_baseline = 0;
  }
  /// A step that was not skipped.
  void count(step_report const& report) {
    ++epoch_steps;
    epoch_loss += report.loss;
    epoch_baseline += report.baseline;
  }
  /// The means of what was counted, as those of the epoch number `epoch`.
  epoch_report means(index_t epoch) const {
    auto const steps = static_cast<double>(epoch_steps);
    return {.epoch = epoch,
            .steps = epoch_steps,
            .loss = epoch_loss / steps,
            .baseline = epoch_baseline / steps};
  }

  friend bool operator==(training_progress const&, training_progress const&) = default;
};

/// What a resume changed: the length of the training, when it was raised. And what it could not
/// check.
struct resume_report {
  std::int64_t step = 0;                  // steps already done
  std::int64_t total_steps = 0;           // of the resumed training
  std::int64_t previous_total_steps = 0;  // of the saved one
  bool knows_images = false;  // the file told that they are the same; older files do not

  /// The schedule was computed anew for a longer training: it will not repeat an uninterrupted run.
  bool schedule_changed() const { return total_steps != previous_total_steps; }
};

}  // namespace mae
