#include "allocation_count.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <fstream>

// 2,000 steps of one process: requirement R18.

namespace {

/// Bytes of this process that lie in memory.
std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  file >> size >> resident;
  REQUIRE(file);
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE_TEMPLATE("2,000 steps take no more memory than 100, and allocate nothing",
                   Operand,
                   float,
                   mae::bfloat16) {
  using backend = mae::eigen_backend<Operand>;
  auto const images = mae_test::painted_images(1'000, 1);
  mae::autoencoder<mae_test::small_config, mae::random_ratio_mask, backend> model(
      {.seed = 5,
       .mask = mae::random_ratio_mask({.low = 0.1, .high = 0.95}),
       .backend = backend(2)});
  mae::trainer trainer(model, images, {.batch_size = 50, .epochs = 100, .lr = 1e-3, .clip = 1});
  REQUIRE(trainer.total_steps() == 2'000);
  std::int64_t memory = 0;
  std::int64_t allocations = 0;
  bool finite = true;
  CHECK(trainer.run({.on_step = [&](mae::step_report const& report) {
    finite = finite && std::isfinite(report.loss);
    if (report.step != 100) return;
    memory = resident_bytes();
    allocations = mae_test::allocation_count;
  }}));
  std::int64_t const allocated = mae_test::allocation_count - allocations;
  std::int64_t const grown = resident_bytes() - memory;
  CHECK(finite);
  CHECK(memory > 1'000'000);
  MESSAGE("memory ", memory, " bytes, grown by ", grown, "; allocations ", allocated);
  CHECK(grown <= memory / 100);
  CHECK(allocated <= 8);  // of resident_bytes itself
}
