#pragma once

#include <mae/backend/thrust/policy.hpp>

#include <thrust/system/tbb/execution_policy.h>

namespace mae {

template <>
struct thrust_policy<tbb_system> {
  static auto get() { return thrust::tbb::par; }
  static constexpr char const* name = "thrust-tbb";
};

}  // namespace mae
