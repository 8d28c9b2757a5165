#pragma once

#include <string_view>

namespace serve {

/// A line of the log, on stderr, with the time.
void log_line(std::string_view text);

}  // namespace serve
