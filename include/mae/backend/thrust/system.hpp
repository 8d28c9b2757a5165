#pragma once

#include <mae/core/isa.hpp>

namespace mae {

/// Where a thrust_backend works: one thread, OpenMP's threads, oneTBB's, or an NVIDIA GPU.
struct cpp_system {};
struct omp_system {};
struct tbb_system {};
struct cuda_system {};

/// A backend for one of these systems and the type that it multiplies. The host systems are in
/// thrust_backend.hpp, the GPU in cuda_backend.cuh (mae/cuda.hpp).
inline namespace MAE_ISA {
template <class System, class Operand>
class thrust_backend;
}  // namespace MAE_ISA

}  // namespace mae
