#pragma once

#include "backend_run.hpp"

#include <string>

namespace mae_test {

/// Why there is no GPU to test with; empty when there is one.
std::string why_no_gpu();

backend_run run_on_cuda();
backend_run run_on_cuda_tf32();
backend_run run_on_cuda_bf16();

}  // namespace mae_test
