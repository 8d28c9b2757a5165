#pragma once

#include <mae/backend/tile/operand.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#ifdef MAE_HAS_TILE_REGISTERS
#include <mae/backend/tile/quantised_operand.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <type_traits>
#endif

namespace mae {
inline namespace MAE_ISA {
namespace kernel {

#ifdef MAE_HAS_TILE_REGISTERS

/// The rows of a tile register, of 64 bytes each.
inline constexpr index_t register_rows = 16;
inline constexpr index_t register_row_bytes = 64;

/// All eight tile registers at their full size, from construction to destruction, once require()
/// has returned. What they cost a thread's switches is then paid within products alone.
class tile_register_use {
 public:
  /// Asks Linux, once, for their use. Throws device_error where it refuses.
  static void require() {
    constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
    static int const refusal =
        syscall(SYS_arch_prctl, request_permission, tile_data) == 0 ? 0 : errno;
    if (refusal != 0)
      throw device_error(
          "the system refuses the use of AMX's tile registers, for which this program was compiled "
          "(" +
          std::generic_category().message(refusal) + "); compile with -mno-amx-tile to do without");
  }

  tile_register_use() {
    static constexpr layout full;  // in memory: g++ does not know how much of it is read
    _tile_loadconfig(&full);
  }
  tile_register_use(tile_register_use const&) = delete;
  tile_register_use& operator=(tile_register_use const&) = delete;
  ~tile_register_use() { _tile_release(); }

 private:
  /// The operand of LDTILECFG (Intel's manual, volume 2).
  struct alignas(64) layout {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::array<std::uint8_t, 14> reserved{};
    std::array<std::uint16_t, 16> row_bytes{64, 64, 64, 64, 64, 64, 64, 64};
    std::array<std::uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
  };
  static_assert(sizeof(layout) == 64);
};

/// Adds the products of registers 4 and 5, rows, with 6 and 7, columns, to registers 0 to 3.
template <class O>
struct register_products;

template <>
struct register_products<bfloat16> {
  [[gnu::always_inline]] static void add_upper() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  [[gnu::always_inline]] static void add_lower() {
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
};

#ifdef MAE_INT8_IN_TILES
template <>
struct register_products<int8_of_signed_four> {
  [[gnu::always_inline]] static void add_upper() {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
  }
  [[gnu::always_inline]] static void add_lower() {
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
};
#endif

/// sums (rows, 32) = a (rows, 16 * blocks) * b, in cells; `rows` 16 or 32. A block of b is 16 rows
/// of 32 cells. `bytes_ahead` from `ahead` on, whole lines, are asked for, some with each block,
/// into the second cache: into the first they come no sooner, since the loads of tiles fill its
/// queue.
template <class O, index_t rows>
__attribute__((noinline)) void multiply_in_tile_registers(index_t blocks,
                                                          char const* a,
                                                          index_t stride,
                                                          cell_of<O> const* b,
                                                          sum_of<O>* sums,
                                                          char const* ahead,
                                                          index_t bytes_ahead) {
  static_assert(rows == register_rows || rows == 2 * register_rows);
  constexpr index_t cols = 32;
  constexpr index_t line = cols * static_cast<index_t>(sizeof(sum_of<O>));
  index_t const lines_each =
      bytes_ahead == 0 ? 0 : ceil_div(bytes_ahead, blocks * register_row_bytes);
  asm volatile("" ::: "memory");  // g++ does not know that tiles are loaded from memory
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (; blocks > 0; --blocks) {
    _tile_loadd(6, b, line);
    _tile_loadd(7, b + cols / 2, line);
    _tile_loadd(4, a, stride);
    register_products<O>::add_upper();
    if constexpr (rows > register_rows) {
      _tile_loadd(5, a + register_rows * stride, stride);
      register_products<O>::add_lower();
    }
    a += register_row_bytes;
    b += register_rows * cols;
    for (index_t i = 0; i < lines_each && bytes_ahead > 0; ++i) {
      __builtin_prefetch(ahead, 0, 2);
      ahead += register_row_bytes;
      bytes_ahead -= register_row_bytes;
    }
  }
  _tile_stored(0, sums, line);
  _tile_stored(1, sums + cols / 2, line);
  if constexpr (rows > register_rows) {
    _tile_stored(2, sums + register_rows * cols, line);
    _tile_stored(3, sums + register_rows * cols + cols / 2, line);
  }
  asm volatile("" ::: "memory");
}

#endif

/// Where products do not use tile registers, nothing.
struct no_tile_register_use {
  static void require() {}
};

#ifdef MAE_HAS_TILE_REGISTERS
template <class O>
using product_registers =
    std::conditional_t<has_tile_registers<O>, tile_register_use, no_tile_register_use>;
#else
template <class O>
using product_registers = no_tile_register_use;
#endif

}  // namespace kernel
}  // namespace MAE_ISA
}  // namespace mae
