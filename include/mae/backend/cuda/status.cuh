#pragma once

#include <mae/core/error.hpp>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <source_location>
#include <string>

namespace mae::cuda {

/// Throws device_error: what was asked, the runtime's words, where, and what to do.
[[noreturn]] inline void fail(std::string const& what,
                              std::string const& why,
                              std::source_location where) {
  throw device_error(what + ": " + why + " (" + where.file_name() + ":" +
                     std::to_string(where.line()) + ")");
}

/// Throws device_error unless a call of the CUDA runtime succeeded.
inline void check(cudaError_t status,
                  char const* what,
                  std::source_location where = std::source_location::current()) {
  if (status == cudaSuccess) return;
  std::string why = cudaGetErrorString(status);
  if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver)
    why += "; this backend needs an NVIDIA GPU and its driver: eigen_backend does without";
  fail(what, why, where);
}

/// Throws device_error unless a call of cuBLASLt succeeded.
inline void check(cublasStatus_t status,
                  char const* what,
                  std::source_location where = std::source_location::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(what, std::string("cuBLASLt: ") + cublasLtGetStatusString(status), where);
}

/// Throws device_error when the kernel launched just now could not be.
inline void check_launch(char const* what,
                         std::source_location where = std::source_location::current()) {
  check(cudaGetLastError(), what, where);
}

}  // namespace mae::cuda
