#include "json_text.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <optional>

namespace pretrain {
namespace {

using json = nlohmann::ordered_json;
using parsed_json = nlohmann::json;  // whose parser the header compiles in any case

json number(std::optional<double> const& value) {
  return value && std::isfinite(*value) ? json(*value) : json(nullptr);
}

double read_number(parsed_json const& object, char const* key) {
  parsed_json const& value = object.at(key);
  return value.is_null() ? std::nan("") : value.get<double>();
}

std::optional<double> read_optional(parsed_json const& object, char const* key) {
  parsed_json const& value = object.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

json to_object(probe_scores const& scores) {
  return {{"linear_probe_top1", number(scores.linear)}, {"knn_top1", number(scores.knn)}};
}

/// Puts the record of a line where it belongs; a kind that `to_json` never made nowhere. Throws
/// nlohmann's exception for a line without the kind's fields.
void add_to(training_history& history, parsed_json const& object) {
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
  else if (kind == "probe")
    history.probes.push_back({step,
                              value("epoch"),
                              read_optional(object, "linear_top1"),
                              read_optional(object, "knn_top1")});
}

}  // namespace

std::string to_json(training_record const& record) {
  return json({{"kind", "training"},
               {"step", record.step},
               {"epoch", number(record.epoch)},
               {"loss", number(record.loss)},
               {"baseline", number(record.baseline)},
               {"lr", number(record.lr)},
               {"gradient_norm", number(record.gradient_norm)},
               {"images_per_second", number(record.images_per_second)}})
      .dump();
}

std::string to_json(heldout_record const& record) {
  return json({{"kind", "heldout"},
               {"step", record.step},
               {"epoch", number(record.epoch)},
               {"loss", number(record.loss)},
               {"baseline", number(record.baseline)}})
      .dump();
}

std::string to_json(probe_record const& record) {
  return json({{"kind", "probe"},
               {"step", record.step},
               {"epoch", number(record.epoch)},
               {"linear_top1", number(record.linear_top1)},
               {"knn_top1", number(record.knn_top1)}})
      .dump();
}

std::string to_json(run_summary const& summary) {
  json const object = {{"status", summary.status},
                       {"data", summary.data},
                       {"config", summary.config},
                       {"mask", summary.mask},
                       {"objective", summary.objective},
                       {"precision", summary.precision},
                       {"backend", summary.backend},
                       {"device", summary.device},
                       {"threads", summary.threads},
                       {"seed", summary.seed},
                       {"steps", summary.steps},
                       {"epochs", number(summary.epochs)},
                       {"batch_size", summary.batch_size},
                       {"parameters", summary.parameters},
                       {"images_per_second", number(summary.images_per_second)},
                       {"final_loss", number(summary.final_loss)},
                       {"heldout_loss", number(summary.heldout_loss)},
                       {"baseline_loss", number(summary.baseline_loss)},
                       {"linear_probe_top1", number(summary.trained.linear)},
                       {"knn_top1", number(summary.trained.knn)},
                       {"untrained_encoder", to_object(summary.untrained)},
                       {"raw_pixels", to_object(summary.pixels)},
                       {"wall_seconds", number(summary.wall_seconds)},
                       {"build", summary.build}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

bool add_from_json(std::string const& line, std::int64_t last, training_history& history) {
  try {
    auto const object = parsed_json::parse(line);
    if (object.at("step").get<std::int64_t>() > last) return false;
    add_to(history, object);
    return true;
  } catch (parsed_json::exception const&) {
    return false;
  }
}

}  // namespace pretrain
