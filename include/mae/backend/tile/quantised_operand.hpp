#pragma once

#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/vector.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <bit>
#include <cstdint>
#include <type_traits>
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/// By which instruction int8 is multiplied, beyond what MAE_ISA says: the namespace of all that
/// depends on it.
#if defined(MAE_HAS_TILE_REGISTERS) && defined(__AMX_INT8__)
#define MAE_INT8_ISA int8_in_tiles
#define MAE_INT8_IN_TILES
#elif defined(__AVX512F__) ? defined(__AVX512VNNI__) : defined(__AVXVNNI__) && defined(__FMA__)
#define MAE_INT8_ISA int8_by_fours
#define MAE_INT8_BY_FOURS
#elif defined(__AVX512F__) ? defined(__AVX512BW__) : defined(__SSE2__)
#define MAE_INT8_ISA int8_by_pairs
#define MAE_INT8_BY_PAIRS
#elif defined(__ARM_FEATURE_DOTPROD)
#define MAE_INT8_ISA int8_by_dot_products
#define MAE_INT8_BY_DOT_PRODUCTS
#else
#define MAE_INT8_ISA int8_portable
#endif

namespace mae {
inline namespace MAE_ISA {
inline namespace MAE_INT8_ISA {

// All operands below give the same sums, those of whole numbers: no instruction here saturates, as
// vpmaddubsw does.

/// A value of [-127, 127] that is widened to 16 bits when it is packed: two products and their sum
/// are an instruction of every x86 processor.
struct int8_of_pair {
  std::int16_t value;
};

/// One of 8 bits, four to a cell, multiplied as u8 * s8 (AVX-512 VNNI, AVX-VNNI): left ones are 128
/// greater than their values, which is taken from the sums again.
struct int8_of_four {
  std::uint8_t bits;
};

/// One of 8 bits, four to a cell, multiplied as s8 * s8 (AMX's tile registers, aarch64's dot
/// products).
struct int8_of_signed_four {
  std::int8_t value;
};

/// The one that the processor multiplies best.
#if defined(MAE_INT8_IN_TILES) || defined(MAE_INT8_BY_DOT_PRODUCTS)
using int8_operand = int8_of_signed_four;
#elif defined(MAE_INT8_BY_FOURS)
using int8_operand = int8_of_four;
#else
using int8_operand = int8_of_pair;
#endif

}  // namespace MAE_INT8_ISA

#ifdef MAE_INT8_IN_TILES
template <>
inline constexpr bool has_tile_registers<int8_of_signed_four> = true;
#endif

namespace kernel {

/// Bits [first, first + bits) of each place, as a number with a sign.
template <int first, int bits>
vector_of<std::int32_t> signed_field(vector_of<std::uint32_t> cells) {
  constexpr int all = 32;
  return std::bit_cast<vector_of<std::int32_t>>(cells << (all - first - bits)) >> (all - bits);
}

/// sums += x * y, modulo 2^32: sums of values that are offset may be larger on their way.
inline void add_products(vector_of<std::int32_t>& sums, std::int32_t x, vector_of<std::int32_t> y) {
  using bits = vector_of<std::uint32_t>;
  sums = std::bit_cast<vector_of<std::int32_t>>(
      std::bit_cast<bits>(sums) + static_cast<std::uint32_t>(x) * std::bit_cast<bits>(y));
}

/// sums += the products of two pairs, by what every compiler has.
inline void add_pair_products(vector_of<std::int32_t>& sums,
                              std::uint32_t a,
                              vector_of<std::uint32_t> b) {
  add_products(sums, static_cast<std::int16_t>(a & 0xFFFFU), signed_field<0, 16>(b));
  add_products(sums, static_cast<std::int16_t>(a >> 16U), signed_field<16, 16>(b));
}

/// Likewise of fours, Left * s8.
template <class Left>
void add_four_products(vector_of<std::int32_t>& sums, std::uint32_t a, vector_of<std::uint32_t> b) {
  add_products(sums, static_cast<Left>(a), signed_field<0, 8>(b));
  add_products(sums, static_cast<Left>(a >> 8U), signed_field<8, 8>(b));
  add_products(sums, static_cast<Left>(a >> 16U), signed_field<16, 8>(b));
  add_products(sums, static_cast<Left>(a >> 24U), signed_field<24, 8>(b));
}

}  // namespace kernel

template <>
struct operand_traits<int8_of_pair> {
  using sum = std::int32_t;
  using cell = std::uint32_t;
  using left_value = std::int16_t;
  using right_value = std::int16_t;
  static constexpr index_t values_per_cell = 2;
  static constexpr int left_offset = 0;

  static void multiply_add(vector_of<sum>& sums, cell a, vector_of<cell> b) {
#ifdef MAE_INT8_BY_PAIRS
    auto const twice = static_cast<int>(a);
#if defined(__AVX512F__)
    sums += (vector_of<sum>)_mm512_madd_epi16(_mm512_set1_epi32(twice), (__m512i)b);
#elif defined(__AVX2__) && defined(__FMA__)
    sums += (vector_of<sum>)_mm256_madd_epi16(_mm256_set1_epi32(twice), (__m256i)b);
#else
    sums += (vector_of<sum>)_mm_madd_epi16(_mm_set1_epi32(twice), (__m128i)b);
#endif
#else
    kernel::add_pair_products(sums, a, b);
#endif
  }
};

template <>
struct operand_traits<int8_of_four> {
  using sum = std::int32_t;
  using cell = std::uint32_t;
  using left_value = std::uint8_t;
  using right_value = std::int8_t;
  static constexpr index_t values_per_cell = 4;
  static constexpr int left_offset = 128;

  static void multiply_add(vector_of<sum>& sums, cell a, vector_of<cell> b) {
#ifdef MAE_INT8_BY_FOURS
    auto const four = static_cast<int>(a);
#if defined(__AVX512F__)
    sums = (vector_of<sum>)_mm512_dpbusd_epi32((__m512i)sums, _mm512_set1_epi32(four), (__m512i)b);
#else
    sums =
        (vector_of<sum>)_mm256_dpbusd_avx_epi32((__m256i)sums, _mm256_set1_epi32(four), (__m256i)b);
#endif
#else
    kernel::add_four_products<left_value>(sums, a, b);
#endif
  }
};

template <>
struct operand_traits<int8_of_signed_four> {
  using sum = std::int32_t;
  using cell = std::uint32_t;
  using left_value = std::int8_t;
  using right_value = std::int8_t;
  static constexpr index_t values_per_cell = 4;
  static constexpr int left_offset = 0;

  static void multiply_add(vector_of<sum>& sums, cell a, vector_of<cell> b) {
#ifdef MAE_INT8_BY_DOT_PRODUCTS
    sums = (vector_of<sum>)vdotq_s32(
        (int32x4_t)sums, vreinterpretq_s8_u32(vdupq_n_u32(a)), (int8x16_t)b);
#else
    kernel::add_four_products<left_value>(sums, a, b);
#endif
  }
};

}  // namespace MAE_ISA
}  // namespace mae
