#pragma once

#include <mae/backend/thrust/policy.hpp>

#include <omp.h>
#include <thrust/system/omp/execution_policy.h>

namespace mae {

template <>
struct thrust_policy<omp_system> {
  static auto get() { return thrust::omp::par; }
  static constexpr char const* name = "thrust-omp";
  static constexpr bool has_threads = true;
  /// OpenMP keeps the number with the thread that sets it: train on the one that makes the backend.
  struct limit {
    explicit limit(int threads) { omp_set_num_threads(threads); }
  };
};

}  // namespace mae
