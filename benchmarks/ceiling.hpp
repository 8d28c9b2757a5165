#pragma once

// What this processor's cores can multiply: independent chains of the tile kernel's own
// multiply-adds, that never leave the registers.

#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/vector.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <chrono>
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

template <class O>
void multiply_in_registers() {
  using cell = mae::cell_of<O>;
  mae::vector_of<mae::sum_of<O>> sums[chains] = {};
  for (auto& sum : sums) pretend_to_change(sum);  // or they would be one
  mae::vector_of<cell> factor = {};
  pretend_to_change(factor);
  for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (auto& sum : sums) mae::operand_traits<O>::multiply_add(sum, cell{}, factor);
    pretend_to_change(factor);
  }
  for (auto& sum : sums) pretend_to_change(sum);
}

}  // namespace detail

/// Operations a second, all threads together: the best of three measurements.
template <class O>
double measure_ceiling(int threads) {
  double best = 0;
  for (int again = 0; again < 3; ++again) {
    auto const start = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back(detail::multiply_in_registers<O>);
    for (auto& worker : workers) worker.join();
    std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
    constexpr double operations = 2.0 * mae::vector_lanes<mae::sum_of<O>> *
                                  mae::operand_traits<O>::values_per_cell * detail::chains *
                                  detail::rounds;
    best = std::max(best, operations * threads / time.count());
  }
  return best;
}

}  // namespace benchmarks
