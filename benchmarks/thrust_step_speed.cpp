// Times whole training steps on Thrust's host systems, as step_speed does on Eigen's.
//
//   thrust_step_speed cpp|omp|tbb --config tiny4|tiny2|base16 --batch N --precision fp32|bf16
//                     --threads N --steps N
#include "arguments.hpp"
#include "step_speed.hpp"

#include <mae/backend/thrust/omp.hpp>
#include <mae/backend/thrust/tbb.hpp>
#include <mae/backend/thrust/thrust_backend.hpp>
#include <mae/core/bfloat16.hpp>

#include <cstdio>
#include <string_view>

namespace {

template <class System>
bool measure_on(benchmarks::arguments const& chosen) {
  if (chosen.precision == "bf16")
    return benchmarks::measure_config(chosen,
                                      mae::thrust_backend<System, mae::bfloat16>(chosen.threads));
  return benchmarks::measure_config(chosen, mae::thrust_backend<System, float>(chosen.threads));
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view const system = argc > 1 ? argv[1] : "";
  auto const chosen = benchmarks::parse(argc - 1, argv + 1);
  if (!benchmarks::processors_have(chosen.precision)) return 2;
  bool known = false;
  if (system == "cpp") known = measure_on<mae::cpp_system>(chosen);
  if (system == "omp") known = measure_on<mae::omp_system>(chosen);
  if (system == "tbb") known = measure_on<mae::tbb_system>(chosen);
  if (known) return 0;
  std::fprintf(stderr,
               "usage: thrust_step_speed cpp|omp|tbb [--config tiny4|tiny2|base16] "
               "[--precision fp32|bf16] ...\n");
  return 2;
}
