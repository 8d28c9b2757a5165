#pragma once

#include "compared.hpp"
#include "gradient_record.hpp"

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace pretrain {

/// What one optimizer step, or the mean of several, reports. `epoch` counts passes done, with its
/// fraction.
struct training_record {
  std::int64_t step = 0;
  double epoch = 0;
  double loss = 0;      // the painter's; not a number in a step without it
  double baseline = 0;  // the loss of predicting zero, on the same patches
  double lr = 0;
  double gradient_norm = 0;
  double images_per_second = 0;
  of_comparing compared = none_compared();  // losses, where they are learned
};

/// The painter's loss on held-out images under one fixed mask, and of predicting zero there.
struct heldout_record {
  std::int64_t step = 0;
  double epoch = 0;
  double loss = 0;
  double baseline = 0;
  of_comparing compared = none_compared();  // where they are learned and couple no images
};

/// What the frozen encoder is worth with labels; top-1 in percent, absent where not measured.
struct probe_record {
  std::int64_t step = 0;
  double epoch = 0;
  std::optional<double> linear_top1;
  std::optional<double> knn_top1;
};

/// What features tell of themselves without labels: see feature_health.
struct health_record {
  std::int64_t step = 0;
  double epoch = 0;
  double effective_rank = 0;
  double alignment = 0;
  double uniformity = 0;
  double deviation = 0;
  std::int64_t images = 0;  // that it was measured on
  // Of the targets and predictions of a few of these images: see target_health. Not a number where
  // an older file does not say.
  double target_variance = std::numeric_limits<double>::quiet_NaN();
  double prediction_variance = std::numeric_limits<double>::quiet_NaN();
  double prediction_rank = std::numeric_limits<double>::quiet_NaN();
};

/// What a mask that learns says of itself: the share of pairs of patches that it had in the right
/// order, or its distribution's entropy as a share of the uniform one's. Of the last step that it
/// has learned from; absent where it keeps none.
struct mask_record {
  std::int64_t step = 0;
  double epoch = 0;
  std::optional<double> agreement = {};
  std::optional<double> entropy = {};
};

/// All records of a training, in the order of their steps.
struct training_history {
  std::vector<training_record> training;
  std::vector<heldout_record> heldout;
  std::vector<probe_record> probes;
  std::vector<health_record> health;
  std::vector<gradient_record> gradients;
  std::vector<mask_record> masks = {};
};

/// metrics.jsonl: one JSON object a line, told apart by "kind" (training, heldout, probe,
/// health, gradients, mask), flushed at once so that a running training can be watched. A value
/// that is not finite is null. What cannot be written is kept, and tried again with the next
/// record.
class metrics_log {
 public:
  /// Begins a file, or replaces it. Throws mae::io_error.
  explicit metrics_log(std::filesystem::path path);
  /// Goes on with a file from step `step`: what an interrupted training wrote after the checkpoint
  /// is cut off, as is a torn last line. A missing file is begun. Throws mae::io_error.
  metrics_log(std::filesystem::path path, std::int64_t step);

  void add(training_record const& record);
  void add(heldout_record const& record);
  void add(probe_record const& record);
  void add(health_record const& record);
  void add(gradient_record const& record);
  void add(mask_record const& record);

  /// Why the last record is not in the file; nothing where it is.
  std::optional<mae::io_error> const& problem() const noexcept { return problem_; }
  /// Tries once more to write what is not in the file. Throws mae::io_error where that fails.
  void require_written();

  /// What the file should hold, the part before a resume included.
  training_history const& history() const noexcept { return history_; }

 private:
  metrics_log(std::filesystem::path path, std::int64_t step, training_history history);
  void append(std::string const& line);
  void write_waiting();

  std::filesystem::path path_;
  mae::file_descriptor file_;
  std::string waiting_;  // for room in the file; may begin within a line
  std::optional<mae::io_error> problem_;
  training_history history_;
};

}  // namespace pretrain
