#pragma once

#include <time.h>  // NOLINT(modernize-deprecated-headers): POSIX's clock_gettime is not in <ctime>

namespace mae {

/// Seconds since a fixed moment, by POSIX's clock that is never set back. In place of <chrono>,
/// whose calendars and time zones would cost every program 0.1 s of compiling.
inline double monotonic_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace mae
