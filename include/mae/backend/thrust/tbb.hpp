#pragma once

#include <mae/backend/thrust/policy.hpp>

#include <tbb/global_control.h>
#include <thrust/system/tbb/execution_policy.h>

#include <cstddef>

namespace mae {

template <>
struct thrust_policy<tbb_system> {
  static auto get() { return thrust::tbb::par; }
  static constexpr char const* name = "thrust-tbb";
  static constexpr bool has_threads = true;
  class limit {
   public:
    explicit limit(int threads)
        : control_(tbb::global_control::max_allowed_parallelism,
                   static_cast<std::size_t>(threads)) {}

   private:
    tbb::global_control control_;
  };
};

}  // namespace mae
