#pragma once

#include <mae/backend/tile/vector.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <bit>
#include <cstdint>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace mae {
inline namespace MAE_ISA {

/// How the values of type O are multiplied: in cells, each of as many values, neighbours along the
/// sum of a product, as one place of a register takes up at once.
template <class O>
struct operand_traits {
  using sum = O;
  using cell = O;
  static constexpr index_t values_per_cell = 1;

  static constexpr cell make_cell(O value, O /*no second*/) { return value; }
  static void multiply_add(vector_of<sum>& sums, cell a, vector_of<cell> b) { sums += a * b; }
};

/// A pair of bfloat16 fills a place: the processor's dot product where it has one, two products in
/// float elsewhere.
template <>
struct operand_traits<bfloat16> {
  using sum = float;
  using cell = std::uint32_t;
  static constexpr index_t values_per_cell = 2;

  static constexpr cell make_cell(bfloat16 first, bfloat16 second) {
    return first.bits | static_cast<std::uint32_t>(second.bits) << 16U;
  }
  static void multiply_add(vector_of<sum>& sums, cell a, vector_of<cell> b) {
#if defined(__AVX512BF16__)
    sums = _mm512_dpbf16_ps(sums, (__m512bh)_mm512_set1_epi32(static_cast<int>(a)), (__m512bh)b);
#else
    constexpr std::uint32_t upper = 0xFFFF0000U;
    sums += std::bit_cast<float>(a << 16U) * std::bit_cast<vector_of<float>>(b << 16U);
    sums += std::bit_cast<float>(a & upper) * std::bit_cast<vector_of<float>>(b & upper);
#endif
  }
};

/// Whether the processor has an instruction for products of O; else two products in float take its
/// place.
template <class O>
inline constexpr bool has_product_instruction = true;
#if !defined(__AVX512BF16__)
template <>
inline constexpr bool has_product_instruction<bfloat16> = false;
#endif

template <class O>
using cell_of = typename operand_traits<O>::cell;
template <class O>
using sum_of = typename operand_traits<O>::sum;

/// Whether products of O run on the processor's matrix unit (AMX), whose registers are tiles.
template <class O>
inline constexpr bool has_tile_registers = false;
#ifdef MAE_HAS_TILE_REGISTERS
template <>
inline constexpr bool has_tile_registers<bfloat16> = true;
#endif

/// The cells of the depth that a kernel takes up at once: one, or a row of a tile register.
template <class O>
inline constexpr index_t depth_cells = has_tile_registers<O> ? 16 : 1;
/// Likewise in values. A left operand whose depth is a multiple is read as it lies.
template <class O>
inline constexpr index_t depth_values = operand_traits<O>::values_per_cell* depth_cells<O>;

/// The cells that hold `values` neighbours of the depth, up to what a kernel takes up at once.
template <class O>
constexpr index_t cells_for(index_t values) {
  return round_up(ceil_div(values, operand_traits<O>::values_per_cell), depth_cells<O>);
}

}  // namespace MAE_ISA
}  // namespace mae
