#include "cuda_run.hpp"
#include "run_on.hpp"

#include <mae/cuda.hpp>

#include <cuda_runtime_api.h>

namespace mae_test {

std::string why_no_gpu() {
  int count = 0;
  auto const status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) return cudaGetErrorString(status);
  return count > 0 ? "" : "there is no device";
}

backend_run run_on_cuda() {
  return run_on(mae::cuda_backend<float>(2));
}

backend_run run_on_cuda_tf32() {
  return run_on(mae::cuda_backend<float>(2, {.tf32 = true}));
}

backend_run run_on_cuda_bf16() {
  return run_on(mae::cuda_backend<mae::bfloat16>(2));
}

}  // namespace mae_test
