#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/types.hpp>

namespace mae::cuda {

/// The threads of a warp, and the warps of a block: blockDim is (32, warps).
inline constexpr int warp_size = 32;

namespace thread {

// A block's members are called by functors that run on the host as well, so they are compiled for
// both; the host never calls these.
MAE_HOST_DEVICE inline int in_warp() {
#if defined(__CUDA_ARCH__)
  return static_cast<int>(threadIdx.x);
#else
  return 0;
#endif
}

MAE_HOST_DEVICE inline int warp() {
#if defined(__CUDA_ARCH__)
  return static_cast<int>(threadIdx.y);
#else
  return 0;
#endif
}

MAE_HOST_DEVICE inline int warps() {
#if defined(__CUDA_ARCH__)
  return static_cast<int>(blockDim.y);
#else
  return 1;
#endif
}

MAE_HOST_DEVICE inline void synchronize_warp() {
#if defined(__CUDA_ARCH__)
  __syncwarp();
#endif
}

MAE_HOST_DEVICE inline void synchronize_block() {
#if defined(__CUDA_ARCH__)
  __syncthreads();
#endif
}

/// The value of the thread whose number in the warp differs in the bits of `mask`.
template <class T>
MAE_HOST_DEVICE T exchange(T value, [[maybe_unused]] int mask) {
#if defined(__CUDA_ARCH__)
  return __shfl_xor_sync(0xFFFFFFFFU, value, mask);
#else
  return value;
#endif
}

}  // namespace thread

/// A warp as the block that a functor is written against (mae/backend/block.hpp). Reductions end
/// in a tree of shuffles, after which every thread has the result.
struct warp_block {
  static constexpr bool is_core = false;

  template <class F>
  MAE_HOST_DEVICE void for_each(index_t count, F const& f) const {
    for (index_t i = thread::in_warp(); i < count; i += warp_size) f(i);
  }

  template <class F>
  MAE_HOST_DEVICE void for_rows(index_t count, F const& f) const {
    for (index_t row = 0; row < count; ++row) f(*this, row);
  }

  template <class F>
  MAE_HOST_DEVICE void single(F const& f) const {
    if (thread::in_warp() == 0) f();
  }

  template <class T, class F>
  MAE_HOST_DEVICE T sum(index_t count, F const& f) const {
    T total{0};
    for (index_t i = thread::in_warp(); i < count; i += warp_size) total += f(i);
    for (int mask = warp_size / 2; mask > 0; mask /= 2) total += thread::exchange(total, mask);
    return total;
  }

  template <class T, class F>
  MAE_HOST_DEVICE T max(index_t count, F const& f) const {
    T top = f(0);
    for (index_t i = thread::in_warp(); i < count; i += warp_size) {
      T const value = f(i);
      top = top < value ? value : top;
    }
    for (int mask = warp_size / 2; mask > 0; mask /= 2) {
      T const other = thread::exchange(top, mask);
      top = top < other ? other : top;
    }
    return top;
  }

  MAE_HOST_DEVICE void barrier() const { thread::synchronize_warp(); }
};

/// A thread block as the block that a functor is written against; its teams are its warps.
/// Reductions are its teams', so that no shared memory is set aside for them.
struct thread_block {
  static constexpr bool is_core = false;

  template <class F>
  MAE_HOST_DEVICE void for_each(index_t count, F const& f) const {
    int const step = warp_size * thread::warps();
    for (index_t i = warp_size * thread::warp() + thread::in_warp(); i < count; i += step) f(i);
  }

  template <class F>
  MAE_HOST_DEVICE void for_rows(index_t count, F const& f) const {
    for (index_t row = thread::warp(); row < count; row += thread::warps()) f(warp_block{}, row);
  }

  template <class F>
  MAE_HOST_DEVICE void single(F const& f) const {
    if (thread::warp() == 0 && thread::in_warp() == 0) f();
  }

  MAE_HOST_DEVICE void barrier() const { thread::synchronize_block(); }
};

}  // namespace mae::cuda
