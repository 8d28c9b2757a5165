#pragma once

#include <mae/core/bfloat16.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <array>
#include <type_traits>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace mae {
inline namespace MAE_ISA {

/// What a function of store_each returns for two places.
template <class T>
struct two_values {
  T first;
  T second;
};

namespace kernel {

inline constexpr index_t rounded_at_once = 32;
struct alignas(64) values_to_round : std::array<float, rounded_at_once> {};

#if defined(__AVX512BF16__) && !defined(__CUDA_ARCH__)
inline constexpr bool rounds_registers = true;
[[gnu::always_inline]] inline void store_rounded(float const* from, bfloat16* to) {
  __m512bh const rounded =
      _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + rounded_at_once / 2), _mm512_loadu_ps(from));
  _mm512_storeu_si512(to, (__m512i)rounded);
}
#else
inline constexpr bool rounds_registers = false;
MAE_HOST_DEVICE inline void store_rounded(float const* from, bfloat16* to) {
  for (index_t i = 0; i < rounded_at_once; ++i) to[i] = bfloat16(from[i]);
}
#endif

}  // namespace kernel

/// to[i] = from[i] for every i in [0, count), rounded to O. Where the processor rounds floats to
/// bfloat16 it does so for 32 at once, and numbers too small to be normal become zero; those that
/// are left, fewer than 32, are rounded one by one, and keep them.
template <class O, class T, class Count>
[[gnu::always_inline]] MAE_HOST_DEVICE inline void round_each(Count count,
                                                              T const* from,
                                                              O* __restrict to) {
  index_t i = 0;
  if constexpr (kernel::rounds_registers && std::is_same_v<T, float> && std::is_same_v<O, bfloat16>)
    for (; i + kernel::rounded_at_once <= count; i += kernel::rounded_at_once)
      kernel::store_rounded(from + i, to + i);
  for (; i < count; ++i) to[i] = static_cast<O>(from[i]);
}

/// Likewise to[i] = f(i), where f computes: what it merely reads is round_each's.
template <class O, class Count, class F>
[[gnu::always_inline]] MAE_HOST_DEVICE inline void store_each(Count count,
                                                              O* __restrict to,
                                                              F const& f) {
  index_t i = 0;
  if constexpr (kernel::rounds_registers && std::is_same_v<O, bfloat16>)
    for (; i + kernel::rounded_at_once <= count; i += kernel::rounded_at_once) {
      kernel::values_to_round computed;
      float* const values = computed.data();
      for (index_t j = 0; j < kernel::rounded_at_once; ++j) values[j] = f(i + j);
      kernel::store_rounded(values, to + i);
    }
  for (; i < count; ++i) to[i] = static_cast<O>(f(i));
}

/// Likewise the two_values that f(i) returns.
template <class O, class Count, class F>
[[gnu::always_inline]] MAE_HOST_DEVICE inline void store_each(Count count,
                                                              O* __restrict first,
                                                              O* __restrict second,
                                                              F const& f) {
  index_t i = 0;
  if constexpr (kernel::rounds_registers && std::is_same_v<O, bfloat16>)
    for (; i + kernel::rounded_at_once <= count; i += kernel::rounded_at_once) {
      kernel::values_to_round computed_first;
      kernel::values_to_round computed_second;
      float* const firsts = computed_first.data();
      float* const seconds = computed_second.data();
      for (index_t j = 0; j < kernel::rounded_at_once; ++j) {
        auto const values = f(i + j);
        firsts[j] = values.first;
        seconds[j] = values.second;
      }
      kernel::store_rounded(firsts, first + i);
      kernel::store_rounded(seconds, second + i);
    }
  for (; i < count; ++i) {
    auto const values = f(i);
    first[i] = static_cast<O>(values.first);
    second[i] = static_cast<O>(values.second);
  }
}

/// The same by the threads of a block.
template <class Block, class O, class T>
MAE_HOST_DEVICE void round_by_block(Block const& block, index_t count, T const* from, O* to) {
  if constexpr (Block::is_core)
    round_each(count, from, to);
  else
    block.for_each(count, [&](index_t i) { to[i] = static_cast<O>(from[i]); });
}
template <class Block, class O, class F>
MAE_HOST_DEVICE void store_by_block(Block const& block, index_t count, O* to, F const& f) {
  if constexpr (Block::is_core)
    store_each(count, to, f);
  else
    block.for_each(count, [&](index_t i) { to[i] = static_cast<O>(f(i)); });
}

}  // namespace MAE_ISA
}  // namespace mae
