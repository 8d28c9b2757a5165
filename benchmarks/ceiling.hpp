#pragma once

// What this processor's cores can multiply: independent chains of the tile kernel's own
// multiply-adds, that never leave the registers.
//
// Where an operand is multiplied in tile registers, the ceiling is theirs.

#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/tile_registers.hpp>
#include <mae/backend/tile/vector.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace benchmarks {
namespace detail {

inline constexpr int chains =
    mae::vector_bytes == 64 ? 24 : 12;  // what hides the latency, in registers
inline constexpr long rounds = 4'000'000;

/// Keeps `value` from being computed in advance or left out.
template <class T>
void pretend_to_change(T& value) {
  asm volatile("" : "+x"(value));
}
inline void pretend_to_change(std::uint32_t& value) {
  asm volatile("" : "+r"(value));
}

template <class O>
void multiply_in_vectors() {
  using cell = mae::cell_of<O>;
  mae::vector_of<mae::sum_of<O>> sums[chains] = {};
  for (auto& sum : sums) pretend_to_change(sum);  // or they would be one
  mae::vector_of<cell> factor = {};
  pretend_to_change(factor);
  cell other{};  // of whole numbers, a product by 0 would be left out
  pretend_to_change(other);
  for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (auto& sum : sums) {
      mae::operand_traits<O>::multiply_add(sum, other, factor);
      pretend_to_change(factor);  // or one product would serve all sums
    }
  }
  for (auto& sum : sums) pretend_to_change(sum);
}

template <class O>
void multiply_in_registers() {
#ifdef MAE_HAS_TILE_REGISTERS
  if constexpr (mae::has_tile_registers<O>) {
    mae::kernel::tile_register_use const registers;
    for (long round = 0; round < rounds; ++round) {
      mae::kernel::register_products<O>::add_upper();
      mae::kernel::register_products<O>::add_lower();
    }
    return;
  }
#endif
  multiply_in_vectors<O>();
}

/// Operations of multiply_in_registers.
template <class O>
constexpr double operations() {
  double const sums =
      mae::has_tile_registers<O> ? 4 * 16 * 16 * 16 : chains * mae::vector_length<mae::sum_of<O>>;
  return 2.0 * sums * mae::operand_traits<O>::values_per_cell * rounds;
}

}  // namespace detail

/// Operations a second, all threads together: the best of three measurements.
template <class O>
double measure_ceiling(int threads) {
  mae::kernel::product_registers<O>::require();
  double best = 0;
  for (int again = 0; again < 3; ++again) {
    auto const start = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back(detail::multiply_in_registers<O>);
    for (auto& worker : workers) worker.join();
    std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
    best = std::max(best, detail::operations<O>() * threads / time.count());
  }
  return best;
}

}  // namespace benchmarks
