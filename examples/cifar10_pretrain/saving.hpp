#pragma once

#include "options.hpp"
#include "training_task.hpp"

#include <mae/train/report.hpp>

#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace pretrain {

/// Says something to the user that the training does not end for.
using warn_user = std::function<void(std::string const&)>;

/// Saves a training on its way whenever that is due: what fails is a warning, and is tried again at
/// the end of the next epoch.
class periodic_saving {
 public:
  periodic_saving(save_interval interval, std::filesystem::path file, warn_user warn);

  /// After a step. Throws mae::numeric_error for a training that is not finite.
  void after_step(training_task const& task, mae::step_report const& report);

 private:
  using clock = std::chrono::steady_clock;

  bool is_due(mae::step_report const& report) const;

  save_interval interval_;
  std::filesystem::path file_;
  warn_user warn_;
  clock::time_point last_ = clock::now();
  bool failed_ = false;
};

/// Writes the files that a run leaves behind, each of them, whichever of the others fails.
class last_files {
 public:
  /// Throws mae::numeric_error alone: such a training is not to be left as one that is done.
  void write(std::function<void()> const& save);
  /// Throws what the last of those that failed threw, once `say` has said the others.
  void require_all(warn_user const& say) const;

 private:
  struct failure {
    std::exception_ptr thrown;
    std::string what;
  };
  std::vector<failure> failures_;
};

}  // namespace pretrain
