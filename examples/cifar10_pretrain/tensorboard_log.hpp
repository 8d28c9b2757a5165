#pragma once

#include "metrics.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Event files, as TensorBoard reads them: TFRecords of a protobuf message each.

namespace pretrain {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of bytes.
std::uint32_t crc32c(std::string_view bytes);

/// A value by its name in TensorBoard: "loss/training".
struct scalar_summary {
  std::string_view tag;
  double value = 0;
};

/// A record that holds an event with scalars; those that are not finite are left out.
std::string event_record(double wall_seconds,
                         std::int64_t step,
                         std::span<scalar_summary const> scalars);
/// The record that an event file begins with.
std::string first_record(double wall_seconds);

/// FOLDER/events.out.tfevents.mae, to which a training's records are appended. What cannot be
/// written ends the log, which says so once; the training goes on without it.
class tensorboard_log {
 public:
  /// Replaces the file by one of what a resumed training has behind it. Throws mae::io_error.
  tensorboard_log(std::filesystem::path const& folder, training_history const& history);

  void add(training_record const& record);
  void add(heldout_record const& record);
  void add(probe_record const& record);
  void add(health_record const& record);

  /// Whether all records are in the file.
  bool is_whole() const { return file_.good(); }

 private:
  void write(std::int64_t step, std::span<scalar_summary const> scalars);

  std::ofstream file_;
};

}  // namespace pretrain
