#include "schedule_flags.hpp"

#include "compared.hpp"
#include "configs.hpp"
#include "flag_values.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/decoder.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/head_schedule.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace pretrain {
namespace {

/// The painter's tensors, and so its schedule, go by the decoder's name in files.
constexpr char const* painter_name = "painter";

/// The rule that a part of the flag's text names.
std::optional<mae::conflict_rule> rule_of(std::string_view part) {
  if (part == "project") return mae::conflict_rule::project;
  if (part == "balance") return mae::conflict_rule::balance;
  return std::nullopt;
}

void read_schedules(std::string const& text, options& o) {
  std::string schedules;  // the text without rules
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ';');) {
    auto const rule = rule_of(part);
    if (rule && o.conflicts != mae::conflict_rule::sum)
      throw usage_error("there is one rule for gradients: name project or balance once");
    if (rule)
      o.conflicts = *rule;
    else
      (schedules += schedules.empty() ? "" : ";") += part;
  }
  try {
    o.head_schedules = mae::head_schedules_of(schedules);
    for (auto& schedule : o.head_schedules)
      if (schedule.head == painter_name) schedule.head = mae::decoder_segment;
    mae::require_valid(o.head_schedules);
  } catch (mae::config_error const& refused) {
    throw usage_error(refused.what());
  }
}

void read_freezing(std::string const& text, options& o) {
  auto const at = text.find('@');
  o.frozen = static_cast<mae::index_t>(checked_whole(text.substr(0, at), 0, a_billion)) + 1;
  o.frozen_from = at == std::string::npos
                      ? 0
                      : checked_number(text.substr(at + 1), "between 0 and 1", [](double value) {
                          return value >= 0 && value <= 1;
                        });
}

/// A perceptual distance's gradient goes the painter's way: it cannot be told apart from it, nor is
/// there any in a step without painting.
void check_painted_always(options const& o) {
  if (o.alternate > 0)
    throw usage_error(
        "--alternate leaves steps without painting, and --perceptual is of what is painted: leave "
        "one of the two");
  if (o.record_gradients > 0 || o.conflicts != mae::conflict_rule::sum)
    throw usage_error(
        "the gradient of --perceptual goes through the painter, which --record-gradients and "
        "--head-schedule's project and balance would tell apart: leave one of the two");
  for (auto const& schedule : o.head_schedules)
    if (schedule.head == mae::decoder_segment)
      for (auto const& at : schedule.points)
        if (at.factor == 0 && at.progress < 1)
          throw usage_error(
              "--head-schedule: the painter's factor must not reach 0 with --perceptual, which is "
              "of what is painted");
}

}  // namespace

std::vector<flag> schedule_flags(options& o) {
  return {{"head-schedule",
           "TEXT",
           "how the weights of painter, contrast, sigreg, uniformity, perceptual and\n"
           "denoiser move with the training's progress: factors that are linear\n"
           "between points, \"contrast=0@0,1@0.3;painter=1@0.8,0@0.9\"; and how\n"
           "gradients meet: project (PCGrad) or balance (equal norms), a pass for\n"
           "every head",
           [&o](std::string const& text) { read_schedules(text, o); }},
          {"alternate",
           "N",
           "painter and other heads take turns, of N steps each; 0: all at once [0]",
           whole(o.alternate, 0, a_billion)},
          {"record-gradients",
           "N",
           "every N steps norms and cosines of the heads' gradients, by block, in\n"
           "metrics.jsonl and the report, for a pass for every head; 0: never [0]",
           whole(o.record_gradients, 0, a_billion)},
          {"freeze-below",
           "N@P",
           "leave the embedding of patches and the first N blocks as they are\n"
           "from progress P on, in [0, 1]; N alone: from the first step",
           [&o](std::string const& text) { read_freezing(text, o); }}};
}

void check_schedules(given_flags const& given, options const& o) {
  auto const weights = o.weights_beside();
  for (auto const& schedule : o.head_schedules) {
    if (schedule.head == mae::decoder_segment) continue;
    auto const* const found = std::ranges::find(comparing_heads, schedule.head);
    if (found == comparing_heads.end())
      throw usage_error("--head-schedule: there is no head " + schedule.head +
                        ": name painter, contrast, sigreg, uniformity, perceptual or denoiser");
    if (weights[static_cast<std::size_t>(found - comparing_heads.begin())] == 0)
      throw usage_error("--head-schedule: " + schedule.head + " is off: give its weight by --" +
                        schedule.head);
  }
  if (given.contains("alternate") && !o.has_heads_beside())
    throw usage_error("--alternate needs two heads to take turns: give --contrast, or another");
  if (o.conflicts != mae::conflict_rule::sum && o.alternate > 0)
    throw usage_error(
        "--alternate leaves one head a step, whose gradient conflicts with none: leave it, or "
        "project and balance of --head-schedule");
  if (o.conflicts != mae::conflict_rule::sum && !o.has_heads_beside())
    throw usage_error(
        "--head-schedule: project and balance need two heads: give --contrast, or another");
  if (o.record_gradients > 0 && !o.has_heads_beside())
    throw usage_error(
        "--record-gradients needs two heads whose gradients meet: give --contrast, or another");
  if (o.perceptual > 0) check_painted_always(o);
  auto const blocks = config_of(o).encoder.depth;
  if (o.frozen > blocks + 1)
    throw usage_error("--freeze-below " + std::to_string(o.frozen - 1) + ": the encoder has " +
                      std::to_string(blocks) + " blocks");
}

void fill_schedules(options& o) {
  if (o.decoder == decoder_choice::self) return;
  for (auto& schedule : o.head_schedules)
    if (schedule.head == mae::decoder_segment) schedule.head = mae::cross_decoder_segment;
}

}  // namespace pretrain
