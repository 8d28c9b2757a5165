#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#if defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <vector>
#endif

namespace mae {

/// Returns the text of a file of the system's; nothing where it cannot be read.
using read_text = std::function<std::optional<std::string>(std::string const& path)>;

namespace detail {

inline constexpr int unlimited_cores = std::numeric_limits<int>::max();

/// Cuts `text` at the first `separator`: what stands before it. `text` keeps what stands behind.
inline std::string_view cut_first(std::string_view& text, char separator) {
  std::size_t const end = std::min(text.find(separator), text.size());
  std::string_view const first = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return first;
}

/// The cores that a quota of time amounts to, rounded up: "250000" of every "100000" are 3. What is
/// no positive number ("max", "-1", nothing) sets no limit.
inline int cores_of_quota(std::string_view quota, std::string_view period) {
  auto const positive = [](std::string_view text) {
    std::int64_t value = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc{} && value > 0 ? value : std::int64_t{0};
  };
  std::int64_t const time = positive(quota);
  std::int64_t const each = positive(period);
  if (time == 0 || each == 0) return unlimited_cores;
  std::int64_t const cores = time / each + (time % each == 0 ? 0 : 1);
  return static_cast<int>(std::min<std::int64_t>(cores, unlimited_cores));
}

/// The least quota of a control group and of all groups above it, of version 2 (a file cpu.max:
/// "250000 100000") or 1. `folder` is where the groups are mounted, `group` the path below.
inline int cores_of_group(std::string const& folder, std::string group, read_text const& read) {
  int cores = unlimited_cores;
  for (;;) {
    std::string const here = folder + group;
    if (auto const both = read(here + "/cpu.max")) {
      std::string_view period = *both;
      std::string_view const quota = cut_first(period, ' ');
      cores = std::min(cores, cores_of_quota(quota, period));
    }
    auto const quota = read(here + "/cpu.cfs_quota_us");
    auto const period = read(here + "/cpu.cfs_period_us");
    if (quota && period) cores = std::min(cores, cores_of_quota(*quota, *period));
    if (group.empty()) return cores;
    group.erase(std::min(group.rfind('/'), group.size()));
    if (group.find('/') == std::string::npos) group.clear();
  }
}

/// Whether `name` is one of a list with commas between.
inline bool lists(std::string_view names, std::string_view name) {
  while (!names.empty())
    if (cut_first(names, ',') == name) return true;
  return false;
}

}  // namespace detail

/// The cores that the quotas of this process's control groups amount to, where Linux mounts them by
/// custom; the largest int without a quota. Within a container the groups above are out of sight,
/// and its own one is mounted in their place, which is looked at too.
inline int cores_of_cgroups(read_text const& read) {
  std::string const mounted = "/sys/fs/cgroup";
  int cores = detail::unlimited_cores;
  auto const groups = read("/proc/self/cgroup").value_or("");
  std::string_view lines = groups;
  while (!lines.empty()) {  // "0::/group" of version 2, "3:cpu,cpuacct:/group" of version 1
    std::string_view group = detail::cut_first(lines, '\n');
    detail::cut_first(group, ':');
    std::string const controllers(detail::cut_first(group, ':'));
    if (!controllers.empty() && !detail::lists(controllers, "cpu")) continue;
    for (std::string const& folder : {controllers.empty() ? mounted : mounted + "/" + controllers,
                                      mounted + (controllers.empty() ? "/unified" : "/cpu")})
      cores = std::min(cores, detail::cores_of_group(folder, std::string(group), read));
  }
  return cores;
}

#if defined(__linux__)
namespace detail {

/// The text of a file whose size the system does not know beforehand, as those below /proc and
/// /sys. At most 64 KiB of it.
inline std::optional<std::string> read_system_file(std::string const& path) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): POSIX declares it so.
  int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  constexpr std::size_t most = 1 << 16;
  std::array<char, 4096> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): written by read
  std::string text;
  ::ssize_t count = 0;
  while (text.size() < most && (count = ::read(file, bytes.data(), bytes.size())) > 0)
    text.append(bytes.data(), static_cast<std::size_t>(count));
  ::close(file);
  if (count < 0) return std::nullopt;
  return text;
}

/// cpu_set_t with a name of its own: nvcc 13.0 fails on a vector of what has none.
struct processor_set {
  ::cpu_set_t bits;
};

/// How many processors the calling thread may be run by, 0 where the system does not say.
inline int cores_of_affinity() {
  constexpr std::size_t most_sets = 1024;  // of 1,024 processors each
  for (std::size_t sets = 1; sets <= most_sets; sets *= 2) {
    std::vector<processor_set> allowed(sets);
    std::size_t const bytes = sets * sizeof(processor_set);
    if (::sched_getaffinity(0, bytes, &allowed.data()->bits) == 0)
      return CPU_COUNT_S(bytes, &allowed.data()->bits);
  }
  return 0;
}

}  // namespace detail
#endif

/// How many cores this process may use: those that it is bound to (taskset, an MPI launcher), and
/// no more than its quota of time amounts to (a container), rounded up. At least 1. Where the
/// system is not Linux, all that the machine has.
inline int available_cores() {
#if defined(__linux__)
  int cores = detail::cores_of_affinity();
  int const quota = cores_of_cgroups(detail::read_system_file);
#else
  int cores = 0;
  int const quota = detail::unlimited_cores;
#endif
  if (cores == 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, std::min(cores, quota));
}

}  // namespace mae
