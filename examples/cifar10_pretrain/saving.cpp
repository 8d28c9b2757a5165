#include "saving.hpp"

#include <mae/core/error.hpp>

#include <cstddef>
#include <utility>

namespace pretrain {

periodic_saving::periodic_saving(save_interval interval, std::filesystem::path file, warn_user warn)
    : interval_(interval), file_(std::move(file)), warn_(std::move(warn)) {}

bool periodic_saving::is_due(mae::step_report const& report) const {
  if (failed_ && report.ends_epoch) return true;
  if (interval_.seconds) {
    std::chrono::duration<double> const passed = clock::now() - last_;
    return passed.count() >= *interval_.seconds;
  }
  return report.ends_epoch && interval_.epochs > 0 && (report.epoch + 1) % interval_.epochs == 0;
}

void periodic_saving::after_step(training_task const& task, mae::step_report const& report) {
  if (!is_due(report)) return;
  try {
    task.save_training(file_);
    failed_ = false;
  } catch (mae::io_error const& refused) {
    failed_ = true;
    warn_(std::string(refused.what()) +
          "; the training goes on, and saving it is tried again by the end of the next epoch");
  }
  last_ = clock::now();
}

void last_files::write(std::function<void()> const& save) {
  try {
    save();
  } catch (mae::numeric_error const&) {
    throw;
  } catch (std::exception const& refused) {
    failures_.push_back({std::current_exception(), refused.what()});
  }
}

void last_files::require_all(warn_user const& say) const {
  if (failures_.empty()) return;
  for (std::size_t i = 0; i + 1 < failures_.size(); ++i) say(failures_[i].what);
  std::rethrow_exception(failures_.back().thrown);
}

}  // namespace pretrain
