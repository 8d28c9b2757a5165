#include "metrics.hpp"

#include "json_text.hpp"
#include "save_file.hpp"

#include <mae/core/error.hpp>

#include <cerrno>
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

}  // namespace

metrics_log::metrics_log(std::filesystem::path path) : path_(std::move(path)) {
  save_text(path_, "");
  open();
}

metrics_log::metrics_log(std::filesystem::path path, std::int64_t step) : path_(std::move(path)) {
  save_text(path_, keep_until(read_if_there(path_), step, history_));
  open();
}

void metrics_log::open() {
  file_.open(path_, std::ios::binary | std::ios::app);
  if (!file_) throw mae::io_error(path_.string(), "open", errno);
}

void metrics_log::append(std::string const& line) {
  file_ << line << '\n' << std::flush;
  if (!file_) throw mae::io_error(path_.string(), "write", errno);
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

}  // namespace pretrain
