#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <cstring>
#include <utility>

namespace mae {
inline namespace MAE_ISA {

/// The bytes of a vector register.
#if defined(__AVX512F__)
inline constexpr index_t vector_bytes = 64;
#elif defined(__AVX2__) && defined(__FMA__)
inline constexpr index_t vector_bytes = 32;
#else
inline constexpr index_t vector_bytes = 16;
#endif

/// A register of T, with the arithmetic of its elements (a vector type of g++ and clang).
template <class T>
struct vector_type {
  using type [[gnu::vector_size(vector_bytes)]] = T;
};
template <class T>
using vector_of = typename vector_type<T>::type;

/// The values of a register.
template <class T>
inline constexpr index_t vector_length = vector_bytes / static_cast<index_t>(sizeof(T));

/// The numbers of a register's places, to be unpacked where a shuffle wants constants.
template <class T>
inline constexpr auto every_place = std::make_integer_sequence<index_t, vector_length<T>>{};

template <class T>
vector_of<T> load_vector(T const* from) {
  vector_of<T> value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <class T>
void store_vector(T* to, vector_of<T> value) {
  std::memcpy(to, &value, sizeof(value));
}

namespace kernel {

/// Exchanges the off-diagonal squares of every square of 2 * half values that two registers share.
template <index_t half, class V, index_t... place>
[[gnu::always_inline]] inline void exchange(V& a,
                                            V& b,
                                            std::integer_sequence<index_t, place...> /*places*/) {
  constexpr index_t length = sizeof...(place);
  V const first =
      __builtin_shufflevector(a, b, ((place & half) != 0 ? length + place - half : place)...);
  b = __builtin_shufflevector(a, b, ((place & half) != 0 ? length + place : place + half)...);
  a = first;
}

template <index_t half, class T>
[[gnu::always_inline]] inline void transpose_squares(vector_of<T>* rows) {
  constexpr index_t length = vector_length<T>;
#pragma GCC unroll 16
  for (index_t i = 0; i < length; ++i)
    if ((i & half) == 0) exchange<half>(rows[i], rows[i + half], every_place<T>);
  if constexpr (half > 1) transpose_squares<half / 2, T>(rows);
}

}  // namespace kernel

/// Transposes the square matrix whose rows are as many registers as one has values.
template <class T>
[[gnu::always_inline]] inline void transpose(vector_of<T>* rows) {
  kernel::transpose_squares<vector_length<T> / 2, T>(rows);
}

}  // namespace MAE_ISA
}  // namespace mae
