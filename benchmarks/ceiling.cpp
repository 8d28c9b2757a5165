// Measures this processor's arithmetic ceiling. Prints one JSON line.
//
//   ceiling [--precision fp32|bf16|int8] [--threads N]
#include "ceiling.hpp"

#include "arguments.hpp"

#include <mae/backend/tile/quantised_operand.hpp>
#include <mae/core/bfloat16.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv, "int8");
  if (!benchmarks::processors_have(chosen.precision)) return 2;
  double const rate =
      chosen.precision == "bf16"   ? benchmarks::measure_ceiling<mae::bfloat16>(chosen.threads)
      : chosen.precision == "int8" ? benchmarks::measure_ceiling<mae::int8_operand>(chosen.threads)
                                   : benchmarks::measure_ceiling<float>(chosen.threads);
  std::printf(
      "{\"system\": \"ceiling\", \"precision\": \"%s\", \"threads\": %d, \"gflops\": %.1f}\n",
      chosen.precision.c_str(),
      chosen.threads,
      rate / 1e9);
}
