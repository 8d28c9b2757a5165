#include "schedule_flags.hpp"

#include "compared.hpp"
#include "configs.hpp"
#include "flag_values.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/decoder.hpp>
#include <mae/train/head_schedule.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

namespace pretrain {
namespace {

/// The painter's tensors, and so its schedule, go by the decoder's name in files.
constexpr char const* painter_name = "painter";

void read_schedules(std::string const& text, options& o) {
  try {
    o.head_schedules = mae::head_schedules_of(text);
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

}  // namespace

std::vector<flag> schedule_flags(options& o) {
  return {{"head-schedule",
           "TEXT",
           "how the weights of painter, contrast, sigreg and uniformity move with\n"
           "the training's progress, factors that are linear between points:\n"
           "\"contrast=0@0,1@0.3;painter=1@0.8,0@0.9\"",
           [&o](std::string const& text) { read_schedules(text, o); }},
          {"alternate",
           "N",
           "painter and other heads take turns, of N steps each; 0: all at once [0]",
           whole(o.alternate, 0, a_billion)},
          {"freeze-below",
           "N@P",
           "leave the embedding of patches and the first N blocks as they are\n"
           "from progress P on, in [0, 1]; N alone: from the first step",
           [&o](std::string const& text) { read_freezing(text, o); }}};
}

void check_schedules(given_flags const& given, options const& o) {
  of_comparing const weights{o.contrast, o.sigreg, o.uniformity};
  for (auto const& schedule : o.head_schedules) {
    if (schedule.head == mae::decoder_segment) continue;
    auto const* const found = std::ranges::find(comparing_heads, schedule.head);
    if (found == comparing_heads.end())
      throw usage_error("--head-schedule: there is no head " + schedule.head +
                        ": name painter, contrast, sigreg or uniformity");
    if (weights[static_cast<std::size_t>(found - comparing_heads.begin())] == 0)
      throw usage_error("--head-schedule: " + schedule.head + " is off: give its weight by --" +
                        schedule.head);
  }
  if (given.contains("alternate") && !o.compares_images())
    throw usage_error("--alternate needs two heads to take turns: give --contrast, or another");
  auto const blocks = config_of(o).encoder.depth;
  if (o.frozen > blocks + 1)
    throw usage_error("--freeze-below " + std::to_string(o.frozen - 1) + ": the encoder has " +
                      std::to_string(blocks) + " blocks");
}

}  // namespace pretrain
