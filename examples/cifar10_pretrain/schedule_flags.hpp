#pragma once

#include "command_line.hpp"
#include "options.hpp"

#include <vector>

namespace pretrain {

/// The flags of what changes while a training goes on, and what must hold between them (throws
/// usage_error).
std::vector<flag> schedule_flags(options& o);
void check_schedules(given_flags const& given, options const& o);
/// The painter's schedule, under the name of the decoder that was chosen.
void fill_schedules(options& o);

}  // namespace pretrain
