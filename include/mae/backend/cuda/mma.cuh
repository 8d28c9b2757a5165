#pragma once

#include <mae/core/bfloat16.hpp>

#include <cstdint>

namespace mae::cuda {

/// A warp's products of bfloat16 on tensor cores (PTX mma.m16n8k16, sm_80 and later). Thread
/// 4 g + t of a warp holds, of a result (16, 8), the entries (g, 2 t), (g, 2 t + 1), (g + 8, 2 t)
/// and (g + 8, 2 t + 1).
struct mma_result {
  float values[4] = {};  // NOLINT(*-avoid-c-arrays): registers
};
/// A left operand (16, 16).
struct mma_left {
  std::uint32_t pairs[4];  // NOLINT(*-avoid-c-arrays)
};
/// Two right operands (16, 8), side by side.
struct mma_right {
  std::uint32_t pairs[4];  // NOLINT(*-avoid-c-arrays)
};

__device__ inline void multiply_add(mma_result& sum,
                                    mma_left const& a,
                                    mma_right const& b,
                                    int which) {
  auto& s = sum.values;
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(s[0]), "+f"(s[1]), "+f"(s[2]), "+f"(s[3])
      : "r"(a.pairs[0]),
        "r"(a.pairs[1]),
        "r"(a.pairs[2]),
        "r"(a.pairs[3]),
        "r"(b.pairs[2 * which]),
        "r"(b.pairs[2 * which + 1]));
}

/// Loads four matrices (8, 8), whose rows begin at the addresses that the threads give: thread i
/// row i % 8 of matrix i / 8.
__device__ inline void load_matrices(std::uint32_t (&pairs)[4], bfloat16 const* row) {
  auto const address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
               : "r"(address));
}
__device__ inline void load_matrices_transposed(std::uint32_t (&pairs)[4], bfloat16 const* row) {
  auto const address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
               : "r"(address));
}

/// A matrix in shared memory; `stride` is an odd multiple of 8, so that no two rows that are loaded
/// at once lie in the same banks.
struct shared_matrix {
  bfloat16* data;
  int stride;

  __device__ bfloat16* at(int row, int col) const { return data + row * stride + col; }

  /// x(row .. row + 16, col .. col + 16) as a left operand.
  __device__ mma_left left(int row, int col) const {
    int const i = static_cast<int>(threadIdx.x);
    mma_left loaded;
    load_matrices(loaded.pairs, at(row + i % 16, col + i / 16 * 8));
    return loaded;
  }
  /// The transpose of x(row .. row + 16, col .. col + 16) as right operands: of rows `row` and
  /// `row` + 8 on.
  __device__ mma_right transposed_right(int row, int col) const {
    int const i = static_cast<int>(threadIdx.x);
    mma_right loaded;
    load_matrices(loaded.pairs, at(row + i % 8 + i / 16 * 8, col + i / 8 % 2 * 8));
    return loaded;
  }
  /// x(row .. row + 16, col .. col + 16) as right operands: of columns `col` and `col` + 8 on.
  __device__ mma_right right(int row, int col) const {
    int const i = static_cast<int>(threadIdx.x);
    mma_right loaded;
    load_matrices_transposed(loaded.pairs, at(row + i % 16, col + i / 16 * 8));
    return loaded;
  }
};

/// Two neighbours of a row as bfloat16.
__device__ inline std::uint32_t packed_pair(float first, float second) {
  std::uint32_t pair = 0;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

/// Two results side by side, (16, 16), as a left operand.
__device__ inline mma_left as_left(mma_result const& a, mma_result const& b) {
  return {{packed_pair(a.values[0], a.values[1]),
           packed_pair(a.values[2], a.values[3]),
           packed_pair(b.values[0], b.values[1]),
           packed_pair(b.values[2], b.values[3])}};
}

/// Over the four threads that share a result's rows.
__device__ inline float row_sum(float value) {
  value += __shfl_xor_sync(0xFFFFFFFFU, value, 1);
  return value + __shfl_xor_sync(0xFFFFFFFFU, value, 2);
}
__device__ inline float row_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, 2));
}

}  // namespace mae::cuda
