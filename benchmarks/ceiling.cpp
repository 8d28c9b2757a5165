// Measures this processor's arithmetic ceiling. Prints one JSON line.
//
//   ceiling [--precision fp32|bf16] [--threads N]
#include "ceiling.hpp"

#include "arguments.hpp"

#include <mae/core/bfloat16.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  if (!benchmarks::processors_have(chosen.precision)) return 2;
  double const rate = chosen.precision == "bf16"
                          ? benchmarks::measure_ceiling<mae::bfloat16>(chosen.threads)
                          : benchmarks::measure_ceiling<float>(chosen.threads);
  std::printf(
      "{\"system\": \"ceiling\", \"precision\": \"%s\", \"threads\": %d, \"gflops\": %.1f}\n",
      chosen.precision.c_str(),
      chosen.threads,
      rate / 1e9);
}
