#pragma once

#include <mae/core/strict_arithmetic.hpp>

// What NVIDIA's device libraries ask how they are compiled by, in every release of nvcc.
extern "C" __device__ int __nvvm_reflect(char const*);  // NOLINT(bugprone-reserved-identifier)
/// Defined nowhere: its name is the message of the assembler's error.
extern "C" __device__ void mae_must_be_compiled_without_use_fast_math();

namespace mae::cuda {

/// Lets no program be assembled under --use_fast_math, of which nvcc tells the preprocessor
/// nothing: exponentials, quotients and numbers too small to be normal would be others than the
/// host's. Leaves no code. Not looked at under -G, where older releases keep code that is never
/// run.
__device__ inline void require_strict_arithmetic() {
#if !defined(__CUDACC_DEBUG__)
  if (__nvvm_reflect("__CUDA_FTZ") != 0) mae_must_be_compiled_without_use_fast_math();
#endif
}

}  // namespace mae::cuda
