// Times whole training steps: data, augmentation, masks, forward, backward and AdamW. Prints one
// JSON line with the median step.
//
//   step_speed --config tiny4|tiny2|base16 --batch N --precision fp32|bf16 --threads N --steps N
#include "step_speed.hpp"

#include "arguments.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  if (chosen.precision == "tf32") {
    std::fprintf(stderr, "a processor has no tf32: --precision is fp32 or bf16\n");
    return 2;
  }
  bool const known =
      chosen.precision == "bf16"
          ? benchmarks::measure_config(chosen, mae::eigen_backend<mae::bfloat16>(chosen.threads))
          : benchmarks::measure_config(chosen, mae::eigen_backend<float>(chosen.threads));
  if (known) return 0;
  std::fprintf(stderr, "--config is tiny4, tiny2 or base16\n");
  return 2;
}
