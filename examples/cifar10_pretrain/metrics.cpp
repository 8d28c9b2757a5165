#include "metrics.hpp"

#include "json_text.hpp"
#include "save_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <utility>

namespace pretrain {
namespace {

/// The lines of `text` up to step `step`; their records go to `history`. A line that cannot be read
/// was torn by the end of its process, and is dropped.
std::string keep_until(std::string const& text, std::int64_t step, training_history& history) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (add_from_json(line, step, history)) kept += line + '\n';
  return kept;
}

std::string read_if_there(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return std::move(text).str();
}

/// Opens a file of this text to append to it.
mae::file_descriptor begin_file(std::filesystem::path const& path, std::string const& text) {
  save_text(path, text);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
  mae::file_descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY));
  if (file.number() < 0) throw mae::io_error(path.string(), "open", errno);
  return file;
}

}  // namespace

metrics_log::metrics_log(std::filesystem::path path)
    : path_(std::move(path)), file_(begin_file(path_, "")) {}

metrics_log::metrics_log(std::filesystem::path path, std::int64_t step)
    : metrics_log(std::move(path), step, training_history{}) {}

metrics_log::metrics_log(std::filesystem::path path, std::int64_t step, training_history history)
    : path_(std::move(path)),
      file_(begin_file(path_, keep_until(read_if_there(path_), step, history))),
      history_(std::move(history)) {}

void metrics_log::append(std::string const& line) {
  waiting_ += line + '\n';
  write_waiting();
}

void metrics_log::write_waiting() {
  problem_.reset();
  while (!waiting_.empty()) {
    auto const count = ::write(file_.number(), waiting_.data(), waiting_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      problem_.emplace(path_.string(), "write", errno);
      return;
    }
    waiting_.erase(0, static_cast<std::size_t>(count));
  }
}

void metrics_log::require_written() {
  write_waiting();
  if (problem_) throw mae::io_error(*problem_);
}

void metrics_log::add(training_record const& record) {
  append(to_json(record));
  history_.training.push_back(record);
}

void metrics_log::add(heldout_record const& record) {
  append(to_json(record));
  history_.heldout.push_back(record);
}

void metrics_log::add(probe_record const& record) {
  append(to_json(record));
  history_.probes.push_back(record);
}

void metrics_log::add(health_record const& record) {
  append(to_json(record));
  history_.health.push_back(record);
}

void metrics_log::add(gradient_record const& record) {
  append(to_json(record));
  history_.gradients.push_back(record);
}

void metrics_log::add(mask_record const& record) {
  append(to_json(record));
  history_.masks.push_back(record);
}

}  // namespace pretrain
