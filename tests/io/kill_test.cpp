#include "temporary_folder.hpp"

#include <mae/core/random.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <new>
#include <span>
#include <string>
#include <vector>

// A process killed while it saves: requirement R7.

namespace {

constexpr std::size_t elements = 16'384;

/// What the killed process tells about itself.
struct progress {
  std::atomic<std::uint64_t> started = 0;   // saves
  std::atomic<std::uint64_t> finished = 0;  // saves
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

void save_step(std::string const& path, std::uint64_t step) {
  std::vector<std::uint64_t> const values(elements, step);
  mae::tensor_entry const tensor{"values",
                                 mae::dtype::u64,
                                 {static_cast<mae::index_t>(elements)},
                                 std::as_bytes(std::span(values))};
  mae::save_safetensors(path, {&tensor, 1}, {{"step", std::to_string(step)}});
}

std::uint64_t loaded_step(std::string const& path) {
  auto const file = mae::safetensors_file::load(path);
  std::uint64_t const step = std::stoull(file.metadata().at("step"));
  std::vector<std::uint64_t> const values(elements, step);
  CHECK(std::ranges::equal(file.tensors()[0].bytes, std::as_bytes(std::span(values))));
  return step;
}

/// The child: saves step after step until it is killed.
[[noreturn]] void save_for_ever(std::string const& path, std::uint64_t step, progress& shared) {
  try {
    for (;; ++step) {
      shared.started = step;
      save_step(path, step);
      shared.finished = step;
    }
  } catch (...) {
    ::_exit(1);
  }
}

}  // namespace

TEST_CASE("200 kills during saves leave the old file or the new one") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a.safetensors");
  void* const memory =
      ::mmap(nullptr, sizeof(progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  auto& shared = *new (memory) progress;
  mae::random_stream random({.seed = 7, .use = mae::purpose::synthetic});
  save_step(path, 0);
  std::uint64_t step = 0;
  int torn_saves = 0;
  for (int kill = 0; kill < 200; ++kill) {
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) save_for_ever(path, step + 1, shared);
    ::usleep(random.below(20'000));
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    step = loaded_step(path);
    REQUIRE(step >= shared.finished);
    REQUIRE(step <= shared.started);
    for (auto const& entry : std::filesystem::directory_iterator(folder.path())) {
      if (entry.path() == path) continue;
      ++torn_saves;
      std::filesystem::remove(entry.path());
    }
  }
  CHECK(torn_saves > 20);  // or the kills did not strike where they should
  ::munmap(memory, sizeof(progress));
}
