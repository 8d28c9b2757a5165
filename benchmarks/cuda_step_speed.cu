// Times whole training steps on a GPU, as step_speed does on the processor. `--threads` are those
// of the host, which load, vary and mask images while the GPU works.
//
//   cuda_step_speed --config tiny4|tiny2|base16 --batch N --precision fp32|tf32|bf16 --threads N
//                   --steps N
#include "arguments.hpp"
#include "step_speed.hpp"

#include <mae/cuda.hpp>

#include <cstdio>
#include <exception>

namespace {

bool measure_in_precision(benchmarks::arguments const& chosen) {
  if (chosen.precision == "bf16")
    return benchmarks::measure_config(chosen, mae::cuda_backend<mae::bfloat16>(chosen.threads));
  return benchmarks::measure_config(
      chosen, mae::cuda_backend<float>(chosen.threads, {.tf32 = chosen.precision == "tf32"}));
}

}  // namespace

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  try {
    if (measure_in_precision(chosen)) return 0;
    std::fprintf(stderr, "--config is tiny4, tiny2 or base16\n");
  } catch (std::exception const& problem) {
    std::fprintf(stderr, "cuda_step_speed: %s\n", problem.what());
  }
  return 2;
}
