#pragma once

#include <mae/core/error.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/process_mark.hpp>
#include <mae/core/types.hpp>

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/cpp/execution_policy.h>
#include <thrust/version.h>

#include <string>

static_assert(THRUST_VERSION >= 101700,
              "mae needs Thrust 1.17 or later: is another version first in the include path?");

namespace mae {

/// Where a thrust_backend works: one thread, OpenMP's threads, or oneTBB's.
struct cpp_system {};
struct omp_system {};
struct tbb_system {};

/// The execution policy of a system, its name, whether it has threads of its own, and `limit`,
/// an object that holds it to a number of them for as long as it lives; omp.hpp and tbb.hpp add
/// theirs.
template <class System>
struct thrust_policy;
template <>
struct thrust_policy<cpp_system> {
  static auto get() { return thrust::cpp::par; }
  static constexpr char const* name = "thrust-cpp";
  static constexpr bool has_threads = false;
  struct limit {
    explicit limit(int /*threads*/) {}
  };
};

/// Throws device_error in a child, by fork(), of a process that has used the system: its threads
/// are not there, and whoever waits for them waits for ever.
template <class System>
void require_threads_here() {
  using policy = thrust_policy<System>;
  if constexpr (policy::has_threads) {
    static process_mark const first_use;
    if (!first_use.is_here())
      throw device_error(std::string(policy::name) +
                         ": this process was forked from one that has used the backend, whose "
                         "threads are not here; fork first, or take eigen_backend");
  }
}

inline namespace MAE_ISA {
namespace kernel {

/// body(i) for every i in [0, count), by all threads of the system.
template <class System, class Body>
void thrust_for_each(index_t count, Body const& body) {
  require_threads_here<System>();
  thrust::for_each(thrust_policy<System>::get(),
                   thrust::counting_iterator<index_t>(0),
                   thrust::counting_iterator<index_t>(count),
                   body);
}

}  // namespace kernel
}  // namespace MAE_ISA

}  // namespace mae
