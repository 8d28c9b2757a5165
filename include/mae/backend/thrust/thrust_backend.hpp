#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/thrust/policy.hpp>
#include <mae/backend/thrust/thrust_lane.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace mae {
inline namespace MAE_ISA {

/// A host system of Thrust: one shard after the other, each by all of the system's threads. It
/// shows on the host what the GPU's backend does: functors in blocks, one large shard. For training
/// on a processor, eigen_backend is faster.
template <class System, class Operand>
class thrust_backend {
 public:
  using lane = thrust_lane<System, Operand>;
  using scalar = typename lane::scalar;
  template <class T>
  using buffer_of = host_buffer<T>;
  using buffer = buffer_of<scalar>;

  static constexpr bool uses_host_memory = true;
  /// Rows enough that all threads find pieces, few enough that activations stay near.
  static constexpr shard_limits shards{.rows = 1 << 11, .sums = 1};

  /// `threads`, as for thread_pool: 0 takes one for every core that the process may use. The system
  /// uses as many. Throws device_error in a child, by fork(), of a process that has used the
  /// system.
  explicit thrust_backend(int threads = 0)
      : thrust_backend(std::make_shared<thread_pool>(threads)) {}
  /// Shares the threads that load and vary images.
  explicit thrust_backend(std::shared_ptr<thread_pool> threads)
      : threads_(std::move(threads)), system_(std::make_shared<system>(threads_->size())) {}

  static constexpr char const* name() { return thrust_policy<System>::name; }
  char const* precision() const { return precision_name<Operand>; }
  thread_pool& threads() const { return *threads_; }

  lane make_lane() const { return {}; }
  lane make_team_lane() const { return make_lane(); }
  static constexpr int num_workers() { return 1; }
  template <class Body>
  void for_each(index_t count, Body&& body) const {
    std::lock_guard const turn(system_->turn);
    for (index_t i = 0; i < count; ++i) body(i, 0);
  }
  int num_helpers() const { return threads_->size(); }
  template <class Body>
  void for_each_inside(index_t count, Body&& body) const {
    threads_->for_each(count, body);
  }

 private:
  /// The system's threads work for one lane at a time.
  struct system {
    explicit system(int threads) : limit((require_threads_here<System>(), threads)) {}

    typename thrust_policy<System>::limit limit;
    std::mutex turn;
  };

  std::shared_ptr<thread_pool> threads_;
  std::shared_ptr<system> system_;
};
static_assert(Backend<thrust_backend<cpp_system, float>> &&
              Backend<thrust_backend<cpp_system, double>>);

}  // namespace MAE_ISA
}  // namespace mae
