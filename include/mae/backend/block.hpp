#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <array>

namespace mae {
inline namespace MAE_ISA {

/// The block-cooperative interface that functors are written against, run by one processor core: a
/// strided loop, sum, maximum, rows shared out among teams, and a barrier between phases. On a GPU
/// a thread block has the same members, and every thread of it runs the same functor: what one
/// thread has written others may read after a barrier, no sooner.
///
/// A reduction keeps `width` independent partial results, so that it becomes vector code without
/// reassociation by the compiler; its order depends on `count` alone.
struct serial_block {
  static constexpr index_t width = 16;
  /// One thread with vector registers: what a GPU's threads do one by one it does for many at once.
  static constexpr bool is_core = true;

  /// f(i) for every i in [0, count).
  template <class F>
  MAE_HOST_DEVICE void for_each(index_t count, F const& f) const {
    for (index_t i = 0; i < count; ++i) f(i);
  }

  /// f(team, row) for every row in [0, count): each by one team, a warp of a GPU's block, which is
  /// a block to f.
  template <class F>
  MAE_HOST_DEVICE void for_rows(index_t count, F const& f) const {
    for (index_t row = 0; row < count; ++row) f(*this, row);
  }

  /// f() once: what all threads have in common is written by one of them.
  template <class F>
  MAE_HOST_DEVICE void single(F const& f) const {
    f();
  }

  /// The sum of f(i) over i in [0, count).
  template <class T, class F>
  MAE_HOST_DEVICE T sum(index_t count, F const& f) const {
    return reduce<T>(count, T{0}, f, [](T a, T b) { return a + b; });
  }

  /// The largest of f(i) over i in [0, count), count > 0.
  template <class T, class F>
  MAE_HOST_DEVICE T max(index_t count, F const& f) const {
    return reduce<T>(count, f(0), f, [](T a, T b) { return a < b ? b : a; });
  }

  /// Makes what the block wrote before it visible to what the block reads after it.
  MAE_HOST_DEVICE void barrier() const {}

 private:
  template <class T, class F, class Combine>
  MAE_HOST_DEVICE static T reduce(index_t count, T identity, F const& f, Combine const& combine) {
    std::array<T, width> partial{};
    partial.fill(identity);
    T* const part = partial.data();
    index_t i = 0;
    for (; i + width <= count; i += width)
      for (index_t j = 0; j < width; ++j) part[j] = combine(part[j], f(i + j));
    for (index_t j = 0; i < count; ++i, ++j) part[j] = combine(part[j], f(i));
    return fold<width / 2>(part, combine);
  }

  /// Combines 2 * half partial results, each step one vector instruction.
  template <index_t half, class T, class Combine>
  MAE_HOST_DEVICE static T fold(T* part, Combine const& combine) {
    for (index_t j = 0; j < half; ++j) part[j] = combine(part[j], part[j + half]);
    if constexpr (half > 1) return fold<half / 2>(part, combine);
    return part[0];
  }
};

}  // namespace MAE_ISA
}  // namespace mae
