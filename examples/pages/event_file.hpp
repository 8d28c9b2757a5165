#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

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

/// FOLDER/events.out.tfevents.mae, to which events are appended. What cannot be written ends it;
/// the training goes on without it.
class event_file {
 public:
  /// Begins the file anew. Throws mae::io_error.
  explicit event_file(std::filesystem::path const& folder);

  void add(std::int64_t step, std::span<scalar_summary const> scalars);

  /// Whether all events are in the file.
  bool is_whole() const { return file_.good(); }

 private:
  std::ofstream file_;
};

}  // namespace pretrain
