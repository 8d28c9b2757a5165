#pragma once

#include "images.hpp"
#include "mask_pictures.hpp"
#include "metrics.hpp"
#include "options.hpp"
#include "page.hpp"
#include "picture.hpp"
#include "strip_history.hpp"
#include "summary.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace pretrain {

/// What a report shows of a training as it stands.
struct training_state {
  options const& settings;
  run_summary const& summary;  // as far as it is known
  training_history const& history;
  std::int64_t total_steps = 0;
  bool is_running = true;
};

/// report.html: a page that shows a training while it runs and afterwards. It keeps the pictures of
/// how the painting developed, twelve at most; a resumed training finds them in the file.
class training_report {
 public:
  /// Begins one; or goes on with that of a training resumed at step `step`, if it can be read.
  explicit training_report(std::filesystem::path file);
  training_report(std::filesystem::path file, std::int64_t step);

  /// Keeps what the model paints after so many steps and epochs.
  void add(std::int64_t step, double epoch, std::span<reconstruction const> painted);
  /// Keeps what the training's mask hides.
  void add_masks(training_task const& task, image_set const& images, double epoch) {
    masks_.add(task, images, epoch);
  }

  /// Replaces the file as a whole. Throws mae::io_error.
  void write(training_state const& state) const;

 private:
  page_section painted_section(options const& o) const;

  std::filesystem::path file_;
  std::vector<std::byte> originals_;
  std::vector<std::byte> masked_;
  std::vector<std::byte> targets_;  // shown where they are no pixels
  strip_history painted_{""};
  mask_pictures masks_;
};

}  // namespace pretrain
