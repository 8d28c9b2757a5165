#pragma once

#include "command_line.hpp"
#include "options.hpp"

#include <mae/core/settings.hpp>
#include <mae/data/colour_changes.hpp>

namespace pretrain {

/// The flags of how colours of training images vary, and what must hold between them (throws
/// usage_error).
flag_group colour_flags(options& o);
void check_colours(given_flags const& given);

/// What a report says of them: those that are on.
mae::settings_list colour_entries(mae::colour_changes const& colours);

}  // namespace pretrain
