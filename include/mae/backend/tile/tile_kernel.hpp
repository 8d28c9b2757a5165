#pragma once

#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/vector.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <array>
#include <cstring>

namespace mae {
inline namespace MAE_ISA {

/// The part of a product's result that is summed in registers: its rows, and two registers of
/// columns. 24 of 32 registers hold sums with AVX-512, 12 of 16 elsewhere; four tile registers of
/// 16 x 16 where there are some. What is left of the rows is summed in tiles of half the rows.
template <class O>
inline constexpr index_t tile_rows = has_tile_registers<O> ? 32
                                     : vector_bytes == 64  ? 12
                                                           : 6;
template <class O>
inline constexpr index_t half_tile_rows = tile_rows<O> / 2;
template <class O>
inline constexpr index_t tile_cols = 2 * vector_length<sum_of<O>>;

/// The way in which the left operand lies: with a row's cells side by side (a matrix as it is), or
/// with a column's cells side by side (what was copied into tiles).
enum class tile_order { rows, columns };

inline constexpr index_t cache_line = 64;

/// What will be needed once a tile is summed, and is asked for meanwhile, little by little, so that
/// no request waits for the others: the rows that its result meets, and a piece of a later panel.
template <class O>
struct tile_forecast {
  std::array<memory_rows, 2> rows;
  index_t num_rows = 0;
  char const* panel = nullptr;
  index_t panel_bytes = 0;

  [[gnu::always_inline]] void ask() {
    if (num_rows > 0) {
      --num_rows;
      for (auto& each : rows) {
        for (index_t i = 0; i < tile_cols<O> * each.value_bytes; i += cache_line)
          __builtin_prefetch(each.first + i, 1);
        each.first += each.stride;
      }
    }
    if (panel_bytes > 0) {
      __builtin_prefetch(panel);
      panel += cache_line;
      panel_bytes -= cache_line;
    }
  }
};

/// Keeps an address in a general register of its own. Several that advance alike g++ would add as
/// one vector, by way of the stack, with instructions that the products wait for.
[[gnu::always_inline]] inline void keep_in_register(char const*& address) {
  asm("" : "+r"(address));
}

/// sums (rows, tile_cols) = a (rows, depth) * b (depth, tile_cols), in cells, in vector registers;
/// `rows` is whole groups of 3. `stride` separates a's rows or columns, whichever the order leaves
/// open. Not checked for undefined arithmetic, which takes as long as the products; its addresses
/// are.
template <class O, tile_order order, index_t rows>
__attribute__((noinline, no_sanitize("undefined"))) void multiply_tile(index_t depth,
                                                                       char const* a,
                                                                       index_t stride,
                                                                       cell_of<O> const* b,
                                                                       sum_of<O>* sums,
                                                                       tile_forecast<O> forecast) {
  using cell = cell_of<O>;
  using sum = sum_of<O>;
  constexpr index_t length = vector_length<sum>;
  constexpr index_t group = 3;  // rows that one address register serves, at 0, 1 and 2 strides
  constexpr bool by_rows = order == tile_order::rows;
  constexpr index_t row_step = by_rows ? 0 : sizeof(cell);
  constexpr index_t asks_every = 4;  // cells of the depth
  static_assert(rows % group == 0 && rows <= tile_rows<O>);

  // Arrays of the language: std::array drops the vector type's attribute.
  // NOLINTBEGIN(*-avoid-c-arrays)
  vector_of<sum> tile[rows][2] = {};
  char const* base[rows / group];
  // NOLINTEND(*-avoid-c-arrays)
#pragma GCC unroll 4
  for (index_t i = 0; i < rows / group; ++i) {
    base[i] = a + group * i * (by_rows ? stride : row_step);
    keep_in_register(base[i]);
  }
  while (depth > 0) {
    forecast.ask();
    index_t count = depth < asks_every ? depth : asks_every;
    depth -= count;
    for (; count > 0; --count) {
      auto const left = load_vector(b);
      auto const right = load_vector(b + length);
      b += tile_cols<O>;
#pragma GCC unroll 12
      for (index_t r = 0; r < rows; ++r) {
        cell x;
        std::memcpy(
            &x, base[r / group] + (r % group) * (by_rows ? stride : row_step), sizeof(cell));
        operand_traits<O>::multiply_add(tile[r][0], x, left);
        operand_traits<O>::multiply_add(tile[r][1], x, right);
      }
#pragma GCC unroll 4
      for (auto& each : base) {
        each += by_rows ? static_cast<index_t>(sizeof(cell)) : stride;
        keep_in_register(each);
      }
    }
  }
#pragma GCC unroll 12
  for (index_t r = 0; r < rows; ++r) {
    store_vector(sums + r * tile_cols<O>, tile[r][0]);
    store_vector(sums + r * tile_cols<O> + length, tile[r][1]);
  }
}

}  // namespace MAE_ISA
}  // namespace mae
