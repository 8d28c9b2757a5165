#include <mae/core/available_cores.hpp>
#include <mae/core/parallel.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace {

constexpr int unlimited = std::numeric_limits<int>::max();

/// What the cgroups of a system with these files amount to.
int cores_with(std::map<std::string, std::string> const& files) {
  return mae::cores_of_cgroups([&](std::string const& path) -> std::optional<std::string> {
    auto const found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  });
}

}  // namespace

TEST_CASE("a quota of version 2 is rounded up to whole cores") {
  auto const cores = [](std::string const& text) {
    return cores_with({{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", text}});
  };
  CHECK(cores("200000 100000\n") == 2);
  CHECK(cores("250000 100000\n") == 3);
  CHECK(cores("50000 100000\n") == 1);
  CHECK(cores("1 100000\n") == 1);
  CHECK(cores("max 100000\n") == unlimited);
  for (char const* text : {"", "\n", "nonsense", "-1 100000", "200000", "200000 0", "0 100000"}) {
    CAPTURE(text);
    CHECK(cores(text) == unlimited);
  }
}

TEST_CASE("the tightest of a group and those above it holds") {
  std::map<std::string, std::string> files{{"/proc/self/cgroup", "0::/outer/inner\n"},
                                           {"/sys/fs/cgroup/outer/cpu.max", "300000 100000\n"},
                                           {"/sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n"}};
  CHECK(cores_with(files) == 3);
  files["/sys/fs/cgroup/outer/inner/cpu.max"] = "150000 50000\n";
  CHECK(cores_with(files) == 3);
  files["/sys/fs/cgroup/outer/inner/cpu.max"] = "100000 50000\n";
  CHECK(cores_with(files) == 2);
}

TEST_CASE("a container sees its own group where the groups above would be mounted") {
  CHECK(cores_with({{"/proc/self/cgroup", "0::/system.slice/some-container.scope\n"},
                    {"/sys/fs/cgroup/cpu.max", "400000 100000\n"}}) == 4);
}

TEST_CASE("quotas of version 1, alone and beside version 2") {
  std::map<std::string, std::string> files{
      {"/proc/self/cgroup", "11:cpuset:/\n4:cpu,cpuacct:/docker/1f\n0::/docker/1f\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us", "350000\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_period_us", "100000\n"}};
  CHECK(cores_with(files) == 4);
  files["/sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us"] = "-1\n";
  CHECK(cores_with(files) == unlimited);
  files["/sys/fs/cgroup/unified/docker/cpu.max"] = "600000 100000\n";
  CHECK(cores_with(files) == 6);
  CHECK(cores_with({{"/proc/self/cgroup", "4:cpu:/\n"},
                    {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"},
                    {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}) == 1);
  // The accounting of time is no quota.
  CHECK(cores_with({{"/proc/self/cgroup", "4:cpuacct:/\n"},
                    {"/sys/fs/cgroup/cpuacct/cpu.cfs_quota_us", "100000\n"},
                    {"/sys/fs/cgroup/cpuacct/cpu.cfs_period_us", "100000\n"}}) == unlimited);
}

TEST_CASE("a system without cgroups sets no quota") {
  CHECK(cores_with({}) == unlimited);
  CHECK(cores_with({{"/proc/self/cgroup", "nonsense\n\n::\n0::nonsense\n"}}) == unlimited);
}

TEST_CASE("there is at least one core, and no more than the machine has") {
  int const cores = mae::available_cores();
  CHECK(cores >= 1);
  CHECK(cores <= static_cast<int>(std::thread::hardware_concurrency()));
  CHECK(mae::thread_pool(0).size() == cores);
}

#if defined(__linux__)
TEST_CASE("a pool of as many threads as there are cores is one thread where the process has one") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  int const cores = mae::available_cores();
  int const threads = mae::thread_pool(0).size();
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(cores == 1);
  CHECK(threads == 1);
}
#endif
