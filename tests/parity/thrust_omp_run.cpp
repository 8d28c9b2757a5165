#include "run_on.hpp"
#include "thrust_run.hpp"

#include <mae/backend/thrust/omp.hpp>
#include <mae/backend/thrust/thrust_backend.hpp>
#include <mae/core/bfloat16.hpp>

namespace mae_test {

backend_run run_on_thrust_omp() {
  return run_on(mae::thrust_backend<mae::omp_system, float>(2));
}

backend_run run_on_thrust_omp_bf16() {
  return run_on(mae::thrust_backend<mae::omp_system, mae::bfloat16>(2));
}

}  // namespace mae_test
