#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/series.hpp>
#include <mae/series/time_axis.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

// libFuzzer's target: any bytes are read as a series, or refused with an error of the library. The
// first byte says how they are to be read.

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// What read_series promises of every table that it lets pass.
void check(mae::series const& s) {
  require(s.variables() > 0 && s.length() > 0);
  require(s.variables() * s.length() == std::ssize(s.values));
  for (mae::index_t v = 0; v < s.variables(); ++v) {
    bool is_known = false;
    for (double const value : s.variable(v)) {
      require(!std::isinf(value));
      is_known = is_known || !std::isnan(value);
    }
    require(is_known);
  }
  auto const& stamps = s.time.stamps;
  require(stamps.empty() || std::ssize(stamps) == s.length());
  for (std::size_t i = 1; i < stamps.size(); ++i) require(stamps[i - 1] < stamps[i]);
  require(mae::stamps_after(s.time, s.length(), 3).size() == 3);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  mae::read_series_options options;
  options.gaps = (data[0] & 1U) != 0 ? mae::gap_rule::missing : mae::gap_rule::refuse;
  options.counts_values = (data[0] & 2U) != 0;
  if ((data[0] & 4U) != 0) options.columns = {"x"};
  if ((data[0] & 8U) != 0) options.time_column = "date";
  int const file = memfd_create("series", 0);
  require(file >= 0);
  for (std::size_t done = 1; done < size;) {
    auto const written = ::write(file, data + done, size - done);
    require(written > 0);
    done += static_cast<std::size_t>(written);
  }
  try {
    check(mae::read_series("/proc/self/fd/" + std::to_string(file), options));
  } catch (mae::format_error const&) {
  } catch (mae::config_error const&) {
  }
  ::close(file);
  return 0;
}
