#pragma once

#include "backend_run.hpp"

namespace mae_test {

/// What every other backend is compared with.
backend_run run_on_eigen();
backend_run run_on_eigen_bf16();

}  // namespace mae_test
