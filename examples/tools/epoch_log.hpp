#pragma once

#include "event_file.hpp"

#include <mae/core/types.hpp>
#include <mae/io/json_writer.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tools {

/// The numbers of one epoch by their names, in the order of its line.
using epoch_numbers = std::vector<std::pair<std::string, double>>;

/// NaN where there is none of this name: not every epoch is graded.
double number_of(epoch_numbers const& all, std::string const& name);

/// Of metrics.jsonl, line by line, in the order of the epochs; those without numbers are left out.
std::vector<epoch_numbers> read_epochs(std::filesystem::path const& file);

/// What a number is about. The encoder's health is of so many test images at most.
inline constexpr mae::index_t most_health_images = 256;
enum class epoch_measure { time, training, health, test };
epoch_measure measure_of(std::string const& name);

/// metrics.jsonl: a line an epoch.
class epoch_log {
 public:
  /// Keeps the lines of the first `epochs` epochs that the file has. Throws mae::io_error.
  epoch_log(std::filesystem::path path, mae::index_t epochs);

  /// Writes all that is there, and all that is added, to an event file in this folder also. What
  /// cannot be written of it is a warning, once. Throws mae::io_error where it cannot be begun.
  void write_events(std::filesystem::path const& folder);

  void add(mae::json_object const& record);

 private:
  void add_event(epoch_numbers const& numbers);

  std::filesystem::path path_;
  std::string text_;
  std::optional<pretrain::event_file> events_;
};

}  // namespace tools
