// Times whole training steps: data, augmentation, masks, forward, backward and AdamW. Prints one
// JSON line with the median step.
//
//   step_speed --config tiny4|tiny2|base16 --batch N --precision fp32|bf16 --threads N --steps N
#include "step_speed.hpp"

#include "arguments.hpp"
#include "processor.hpp"

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  return benchmarks::run_on_processor(chosen, [&](auto config, auto const& backend) {
    benchmarks::measure<decltype(config)::value>(chosen, backend);
  });
}
