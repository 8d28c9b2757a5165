#pragma once

#include "metrics.hpp"
#include "summary.hpp"

#include <cstdint>
#include <string>

namespace pretrain {

// What the driver writes as JSON. Absent and non-finite numbers are null.

/// A record as a line of metrics.jsonl, told apart by "kind"; without a line end.
std::string to_json(training_record const& record);
std::string to_json(heldout_record const& record);
std::string to_json(probe_record const& record);
std::string to_json(health_record const& record);
std::string to_json(gradient_record const& record);
std::string to_json(mask_record const& record);

/// The text of summary.json.
std::string to_json(run_summary const& summary);

/// Adds the record of a line to `history` unless it lies behind step `last`. False where nothing
/// was added: the record lies behind, or `to_json` never made such a line.
bool add_from_json(std::string const& line, std::int64_t last, training_history& history);

}  // namespace pretrain
