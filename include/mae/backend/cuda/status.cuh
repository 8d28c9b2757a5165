#pragma once

#include <mae/core/error.hpp>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <source_location>
#include <string>

namespace mae::cuda {

inline constexpr char const* forked_from_user =
    "this process was forked from one that has used the GPU, which the driver refuses; fork first";

/// What was asked, the runtime's words, and where.
inline std::string describe(std::string const& what,
                            std::string const& why,
                            std::source_location where) {
  return what + ": " + why + " (" + where.file_name() + ":" + std::to_string(where.line()) + ")";
}

/// Throws device_error unless a call of the CUDA runtime succeeded.
inline void check(cudaError_t status,
                  char const* what,
                  std::source_location where = std::source_location::current()) {
  if (status == cudaSuccess) return;
  std::string why = cudaGetErrorString(status);
  if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver)
    why += "; this backend needs an NVIDIA GPU and its driver: eigen_backend does without";
  // What the driver says in a child of a process that it knows.
  if (status == cudaErrorInitializationError) why += std::string("; perhaps ") + forked_from_user;
  throw device_error(describe(what, why, where));
}

/// Throws device_error unless a call of cuBLASLt succeeded.
inline void check(cublasStatus_t status,
                  char const* what,
                  std::source_location where = std::source_location::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw device_error(
      describe(what, std::string("cuBLASLt: ") + cublasLtGetStatusString(status), where));
}

/// Throws device_error when the kernel launched just now could not be.
inline void check_launch(char const* what,
                         std::source_location where = std::source_location::current()) {
  check(cudaGetLastError(), what, where);
}

}  // namespace mae::cuda
