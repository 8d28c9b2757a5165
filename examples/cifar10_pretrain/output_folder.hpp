#pragma once

#include <mae/core/file_reading.hpp>

#include <array>
#include <filesystem>
#include <iosfwd>

namespace pretrain {

/// The files that a training leaves in its output folder.
namespace output {
inline constexpr char const* training = "training.safetensors";
inline constexpr char const* model = "model.safetensors";
inline constexpr char const* encoder = "encoder.safetensors";
inline constexpr char const* metrics = "metrics.jsonl";
inline constexpr char const* reconstructions = "reconstructions.png";
inline constexpr char const* chart = "loss.svg";
inline constexpr char const* summary = "summary.json";
inline constexpr char const* report = "report.html";
inline constexpr std::array all{
    training, model, encoder, metrics, reconstructions, chart, summary, report};
}  // namespace output

/// The right to write into an output folder, which one process has at a time: a lock (flock) on the
/// file `.lock` in it, which names the holder. The system frees it when the holder ends, however it
/// ends; an orderly end removes the file.
class output_lock {
 public:
  /// Takes the lock of a folder that is there, and removes what a killed training left of files
  /// that it was writing. Throws mae::config_error, which names the holder, where another process
  /// has the lock; mae::io_error. A file system without locks is a warning in `notes`.
  output_lock(std::filesystem::path const& folder, std::ostream& notes);
  output_lock(output_lock const&) = delete;
  output_lock& operator=(output_lock const&) = delete;
  ~output_lock();

 private:
  std::filesystem::path path_;
  mae::file_descriptor file_;
};

}  // namespace pretrain
