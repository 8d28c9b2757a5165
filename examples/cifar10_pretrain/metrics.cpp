#include "metrics.hpp"

#include "save_file.hpp"

#include <mae/core/error.hpp>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cmath>
#include <sstream>
#include <utility>

namespace pretrain {
namespace {

using json = nlohmann::ordered_json;

json number(std::optional<double> const& value) {
  return value && std::isfinite(*value) ? json(*value) : json(nullptr);
}

double read_number(json const& object, char const* key) {
  json const& value = object.at(key);
  return value.is_null() ? std::nan("") : value.get<double>();
}

std::optional<double> read_optional(json const& object, char const* key) {
  json const& value = object.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

// ---- records and their lines -------------------------------------------------------------------

json to_object(training_record const& record) {
  return {{"kind", "training"},
          {"step", record.step},
          {"epoch", number(record.epoch)},
          {"loss", number(record.loss)},
          {"baseline", number(record.baseline)},
          {"lr", number(record.lr)},
          {"gradient_norm", number(record.gradient_norm)},
          {"images_per_second", number(record.images_per_second)}};
}

json to_object(heldout_record const& record) {
  return {{"kind", "heldout"},
          {"step", record.step},
          {"epoch", number(record.epoch)},
          {"loss", number(record.loss)},
          {"baseline", number(record.baseline)}};
}

json to_object(probe_record const& record) {
  return {{"kind", "probe"},
          {"step", record.step},
          {"epoch", number(record.epoch)},
          {"linear_top1", number(record.linear_top1)},
          {"knn_top1", number(record.knn_top1)}};
}

/// Puts the record of a line where it belongs. Throws nlohmann's exception for a line that
/// `to_object` never made.
void add_to(training_history& history, json const& object) {
  auto const kind = object.at("kind").get<std::string>();
  auto const step = object.at("step").get<std::int64_t>();
  auto const value = [&](char const* key) { return read_number(object, key); };
  if (kind == "training")
    history.training.push_back({step,
                                value("epoch"),
                                value("loss"),
                                value("baseline"),
                                value("lr"),
                                value("gradient_norm"),
                                value("images_per_second")});
  else if (kind == "heldout")
    history.heldout.push_back({step, value("epoch"), value("loss"), value("baseline")});
  else
    history.probes.push_back({step,
                              value("epoch"),
                              read_optional(object, "linear_top1"),
                              read_optional(object, "knn_top1")});
}

/// The lines of `text` up to step `step`; their records go to `history`. A line that cannot be read
/// was torn by the end of its process, and is dropped.
std::string keep_until(std::string const& text, std::int64_t step, training_history& history) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    try {
      json const object = json::parse(line);
      if (object.at("step").get<std::int64_t>() > step) continue;
      add_to(history, object);
      kept += line + '\n';
    } catch (json::exception const&) {
      continue;
    }
  }
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
  append(to_object(record).dump());
  history_.training.push_back(record);
}

void metrics_log::add(heldout_record const& record) {
  append(to_object(record).dump());
  history_.heldout.push_back(record);
}

void metrics_log::add(probe_record const& record) {
  append(to_object(record).dump());
  history_.probes.push_back(record);
}

}  // namespace pretrain
