#include "json_text.hpp"

#include "options.hpp"
#include "saved_settings.hpp"

#include <mae/core/error.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/json_writer.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pretrain {
namespace {

using mae::json_object;

json_object to_object(probe_scores const& scores) {
  return json_object().add("linear_probe_top1", scores.linear).add("knn_top1", scores.knn);
}

json_object to_object(mae::settings_list const& settings) {
  json_object object;
  for (auto const& [name, value] : settings) object.add(name, value);
  return object;
}

/// The members of a record's line: its kind, and numbers.
struct parsed_record {
  std::string kind;
  std::int64_t step = 0;
  std::map<std::string, std::optional<double>> numbers;
  std::vector<gradient_record::of_head> heads;
  std::vector<gradient_record::of_pair> pairs;

  /// Throws std::out_of_range for a line without the number.
  double number(char const* name) const { return numbers.at(name).value_or(std::nan("")); }
  double number_or_none(char const* name) const {
    auto const found = numbers.find(name);
    return found == numbers.end() ? std::nan("") : found->second.value_or(std::nan(""));
  }
  std::optional<double> optional(char const* name) const { return numbers.at(name); }
  std::optional<double> optional_or_none(char const* name) const {
    auto const found = numbers.find(name);
    return found == numbers.end() ? std::nullopt : found->second;
  }
};

double number_or_null(mae::json_reader& reader) {
  if (!reader.begins_with('n')) return reader.number();
  reader.skip();
  return std::nan("");
}

/// An object of lists of numbers.
template <class Lists>
void read_lists(mae::json_reader& reader, Lists& lists) {
  reader.object([&](std::string const& name, std::uint64_t /*at*/) {
    std::vector<double> values;
    reader.array([&] { values.push_back(number_or_null(reader)); });
    lists.push_back({name, std::move(values)});
  });
}

/// Throws mae::format_error for any other line.
parsed_record parse_record(std::string const& line) {
  parsed_record record;
  mae::json_reader reader("metrics", line, 0);
  reader.object([&](std::string const& name, std::uint64_t /*at*/) {
    if (name == "kind") {
      record.kind = reader.string();
    } else if (name == "step") {
      record.step = static_cast<std::int64_t>(reader.unsigned_integer());
    } else if (reader.begins_with('{') && name == "gradient_norm") {
      read_lists(reader, record.heads);
    } else if (reader.begins_with('{') && name == "gradient_cosine") {
      read_lists(reader, record.pairs);
    } else if (reader.begins_with('n')) {
      reader.skip();
      record.numbers[name] = std::nullopt;
    } else {
      record.numbers[name] = reader.number();
    }
  });
  reader.finish_text();
  return record;
}

of_comparing compared_in(parsed_record const& record) {
  auto compared = none_compared();
  for (std::size_t i = 0; i < compared.size(); ++i)
    compared[i] = record.number_or_none(comparing_heads[i]);
  return compared;
}

/// Those that are known.
json_object& with_compared(json_object& object, of_comparing const& compared) {
  for (std::size_t i = 0; i < comparing_heads.size(); ++i)
    if (!std::isnan(compared[i])) object.add(comparing_heads[i], compared[i]);
  return object;
}

/// Whether a record of gradients is one that `to_json` could have made.
bool is_whole(parsed_record const& record) {
  auto const count = record.heads.size();
  if (count == 0 || record.pairs.size() != count * (count - 1) / 2) return false;
  auto const depths = record.heads.front().norms.size();
  auto const is_long = [&](auto const& of) { return of.norms.size() == depths; };
  auto const is_paired = [&](auto const& of) { return of.cosines.size() == depths; };
  return std::ranges::all_of(record.heads, is_long) && std::ranges::all_of(record.pairs, is_paired);
}

/// Puts a record where it belongs; a kind that `to_json` never made nowhere.
void add_to(training_history& history, parsed_record const& record) {
  auto const value = [&](char const* name) { return record.number(name); };
  if (record.kind == "training")
    history.training.push_back({record.step,
                                value("epoch"),
                                value("loss"),
                                value("baseline"),
                                value("lr"),
                                value("gradient_norm"),
                                value("images_per_second"),
                                compared_in(record)});
  else if (record.kind == "heldout")
    history.heldout.push_back(
        {record.step, value("epoch"), value("loss"), value("baseline"), compared_in(record)});
  else if (record.kind == "probe")
    history.probes.push_back(
        {record.step, value("epoch"), record.optional("linear_top1"), record.optional("knn_top1")});
  else if (record.kind == "health")
    history.health.push_back({record.step,
                              value("epoch"),
                              value("effective_rank"),
                              value("alignment"),
                              value("uniformity"),
                              value("deviation"),
                              std::llround(value("images")),
                              record.number_or_none("target_variance"),
                              record.number_or_none("prediction_variance"),
                              record.number_or_none("prediction_rank")});
  else if (record.kind == "gradients" && is_whole(record))
    history.gradients.push_back({record.step, value("epoch"), record.heads, record.pairs});
  else if (record.kind == "mask")
    history.masks.push_back({record.step,
                             value("epoch"),
                             record.optional_or_none("agreement"),
                             record.optional_or_none("entropy")});
}

}  // namespace

std::string to_json(training_record const& record) {
  auto object = json_object();
  object.add("kind", "training")
      .add("step", record.step)
      .add("epoch", record.epoch)
      .add("loss", record.loss)
      .add("baseline", record.baseline)
      .add("lr", record.lr)
      .add("gradient_norm", record.gradient_norm)
      .add("images_per_second", record.images_per_second);
  return with_compared(object, record.compared).line();
}

std::string to_json(heldout_record const& record) {
  auto object = json_object();
  object.add("kind", "heldout")
      .add("step", record.step)
      .add("epoch", record.epoch)
      .add("loss", record.loss)
      .add("baseline", record.baseline);
  return with_compared(object, record.compared).line();
}

std::string to_json(probe_record const& record) {
  return json_object()
      .add("kind", "probe")
      .add("step", record.step)
      .add("epoch", record.epoch)
      .add("linear_top1", record.linear_top1)
      .add("knn_top1", record.knn_top1)
      .line();
}

std::string to_json(health_record const& record) {
  return json_object()
      .add("kind", "health")
      .add("step", record.step)
      .add("epoch", record.epoch)
      .add("effective_rank", record.effective_rank)
      .add("alignment", record.alignment)
      .add("uniformity", record.uniformity)
      .add("deviation", record.deviation)
      .add("images", record.images)
      .add("target_variance", record.target_variance)
      .add("prediction_variance", record.prediction_variance)
      .add("prediction_rank", record.prediction_rank)
      .line();
}

std::string to_json(gradient_record const& record) {
  json_object norms;
  for (auto const& of : record.heads) norms.add(of.head, of.norms);
  json_object cosines;
  for (auto const& of : record.pairs) cosines.add(of.heads, of.cosines);
  return json_object()
      .add("kind", "gradients")
      .add("step", record.step)
      .add("epoch", record.epoch)
      .add("gradient_norm", norms)
      .add("gradient_cosine", cosines)
      .line();
}

std::string to_json(mask_record const& record) {
  json_object object;
  object.add("kind", "mask").add("step", record.step).add("epoch", record.epoch);
  if (record.agreement) object.add("agreement", *record.agreement);
  if (record.entropy) object.add("entropy", *record.entropy);
  return object.line();
}

std::string to_json(run_summary const& summary) {
  return json_object()
      .add("status", summary.status)
      .add("data", summary.data)
      .add("config", summary.config)
      .add("mask", summary.mask)
      .add("objective", summary.objective)
      .add("targets", to_object(summary.targets))
      .add("precision", summary.precision)
      .add("backend", summary.backend)
      .add("device", summary.device)
      .add("threads", summary.threads)
      .add("seed", summary.seed)
      .add("steps", summary.steps)
      .add("epochs", summary.epochs)
      .add("batch_size", summary.batch_size)
      .add("parameters", summary.parameters)
      .add("images_per_second", summary.images_per_second)
      .add("final_loss", summary.final_loss)
      .add("heldout_loss", summary.heldout_loss)
      .add("baseline_loss", summary.baseline_loss)
      .add("linear_probe_top1", summary.trained.linear)
      .add("knn_top1", summary.trained.knn)
      .add("untrained_encoder", to_object(summary.untrained))
      .add("raw_pixels", to_object(summary.pixels))
      .add("wall_seconds", summary.wall_seconds)
      .add("build", summary.build)
      .add("run", settings_json(program_name, summary.flags))
      .lines();
}

bool add_from_json(std::string const& line, std::int64_t last, training_history& history) {
  try {
    auto const record = parse_record(line);
    if (record.step > last) return false;
    add_to(history, record);
    return true;
  } catch (mae::format_error const&) {
    return false;
  } catch (std::out_of_range const&) {
    return false;
  }
}

}  // namespace pretrain
