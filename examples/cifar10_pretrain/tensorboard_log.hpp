#pragma once

#include "event_file.hpp"
#include "metrics.hpp"

#include <filesystem>

namespace pretrain {

/// FOLDER's event file, which holds what metrics.jsonl does.
class tensorboard_log {
 public:
  /// Replaces the file by one of what a resumed training has behind it. Throws mae::io_error.
  tensorboard_log(std::filesystem::path const& folder, training_history const& history);

  void add(training_record const& record);
  void add(heldout_record const& record);
  void add(probe_record const& record);
  void add(health_record const& record);
  void add(gradient_record const& record);
  void add(mask_record const& record);

  /// Whether all records are in the file.
  bool is_whole() const { return file_.is_whole(); }

 private:
  event_file file_;
};

}  // namespace pretrain
