#include "epoch_log.hpp"

#include "save_file.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/io/json_reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string_view>

namespace tools {
namespace {

/// A line that cannot be read is as one without numbers.
epoch_numbers numbers_of(std::string const& line) {
  constexpr std::string_view begins = "-0123456789";
  epoch_numbers numbers;
  try {
    mae::json_reader reader("metrics", line, 0);
    reader.object([&](std::string const& name, std::uint64_t /*at*/) {
      if (std::ranges::any_of(begins, [&](char first) { return reader.begins_with(first); }))
        numbers.emplace_back(name, reader.number());
      else
        reader.skip();
    });
    reader.finish_text();
  } catch (mae::format_error const&) {
    return {};
  }
  return numbers;
}

std::vector<epoch_numbers> read_lines(std::istream& lines) {
  std::vector<epoch_numbers> epochs;
  for (std::string line; std::getline(lines, line);)
    if (auto numbers = numbers_of(line); !numbers.empty()) epochs.push_back(std::move(numbers));
  return epochs;
}

}  // namespace

double number_of(epoch_numbers const& all, std::string const& name) {
  auto const found = std::ranges::find(all, name, [](auto const& one) { return one.first; });
  return found == all.end() ? std::nan("") : found->second;
}

std::vector<epoch_numbers> read_epochs(std::filesystem::path const& file) {
  std::ifstream lines(file);
  return read_lines(lines);
}

epoch_measure measure_of(std::string const& name) {
  constexpr std::array<std::string_view, 4> of_health{
      "effective_rank", "alignment", "uniformity", "deviation"};
  if (name == "epoch" || name == "seconds") return epoch_measure::time;
  if (name == "loss") return epoch_measure::training;
  return std::ranges::find(of_health, name) != of_health.end() ? epoch_measure::health
                                                               : epoch_measure::test;
}

epoch_log::epoch_log(std::filesystem::path path, mae::index_t epochs) : path_(std::move(path)) {
  std::ifstream file(path_);
  std::string line;
  for (mae::index_t i = 0; i < epochs && std::getline(file, line); ++i) text_ += line + '\n';
}

void epoch_log::write_events(std::filesystem::path const& folder) {
  events_.emplace(folder);
  std::istringstream lines(text_);
  for (auto const& numbers : read_lines(lines)) add_event(numbers);
}

void epoch_log::add(mae::json_object const& record) {
  auto const line = record.line();
  text_ += line + '\n';
  pretrain::save_text(path_, text_);
  if (!events_) return;
  add_event(numbers_of(line));
  if (events_->is_whole()) return;
  events_.reset();
  std::cerr << "warning: the event file of " << mae::printable(path_.parent_path().string())
            << " cannot be written; the training goes on without it, and --resume --tensorboard "
               "writes it again"
            << std::endl;
}

/// By names as "loss/training", "test/top1", at the epoch as its step.
void epoch_log::add_event(epoch_numbers const& numbers) {
  std::vector<std::string> tags;
  std::vector<double> values;
  for (auto const& [name, value] : numbers) {
    auto const measure = measure_of(name);
    if (measure == epoch_measure::time) continue;
    tags.push_back(measure == epoch_measure::training ? name + "/training"
                   : measure == epoch_measure::health ? "health/" + name
                                                      : "test/" + name);
    values.push_back(value);
  }
  std::vector<pretrain::scalar_summary> scalars;
  for (std::size_t i = 0; i < tags.size(); ++i) scalars.push_back({tags[i], values[i]});
  events_->add(static_cast<std::int64_t>(number_of(numbers, "epoch")), scalars);
}

}  // namespace tools
