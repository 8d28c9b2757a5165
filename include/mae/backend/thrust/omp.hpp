#pragma once

#include <mae/backend/thrust/policy.hpp>

#include <thrust/system/omp/execution_policy.h>

namespace mae {

template <>
struct thrust_policy<omp_system> {
  static auto get() { return thrust::omp::par; }
  static constexpr char const* name = "thrust-omp";
};

}  // namespace mae
