#pragma once

#include "arguments.hpp"
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>

#include <cstdio>

namespace benchmarks {

/// measure(config_constant, backend) for the chosen model and precision on the processor. Returns
/// the program's exit status.
template <class Measure>
int run_on_processor(arguments const& chosen, Measure const& measure) {
  if (!processors_have(chosen.precision)) return 2;
  auto const run_on = [&](auto const& backend) {
    return with_config(chosen.config, [&](auto config) { measure(config, backend); });
  };
  bool const known = chosen.precision == "bf16"
                         ? run_on(mae::eigen_backend<mae::bfloat16>(chosen.threads))
                         : run_on(mae::eigen_backend<float>(chosen.threads));
  if (known) return 0;
  std::fprintf(stderr, "--config is tiny4, tiny2 or base16\n");
  return 2;
}

}  // namespace benchmarks
