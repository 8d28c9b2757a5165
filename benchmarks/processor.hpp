#pragma once

#include "arguments.hpp"
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>

#include <cstdio>

namespace benchmarks {

/// measure(config_constant, backend) for the chosen model. Returns the program's exit status.
template <class B, class Measure>
int run_on(arguments const& chosen, B const& backend, Measure const& measure) {
  if (with_config(chosen.config, [&](auto config) { measure(config, backend); })) return 0;
  std::fprintf(stderr, "--config is tiny4, tiny2 or base16\n");
  return 2;
}

/// The same for the chosen precision on the processor.
template <class Measure>
int run_on_processor(arguments const& chosen, Measure const& measure) {
  if (!processors_have(chosen.precision)) return 2;
  if (chosen.precision == "bf16")
    return run_on(chosen, mae::eigen_backend<mae::bfloat16>(chosen.threads), measure);
  return run_on(chosen, mae::eigen_backend<float>(chosen.threads), measure);
}

}  // namespace benchmarks
