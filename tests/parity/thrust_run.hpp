#pragma once

#include "backend_run.hpp"

namespace mae_test {

backend_run run_on_thrust_cpp();
backend_run run_on_thrust_omp();
backend_run run_on_thrust_tbb();
backend_run run_on_thrust_omp_bf16();

}  // namespace mae_test
