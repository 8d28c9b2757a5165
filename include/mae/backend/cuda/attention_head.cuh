#pragma once

#include <mae/backend/cuda/block.cuh>
#include <mae/backend/cuda/mma.cuh>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cstdint>

namespace mae::cuda {

namespace kernels {

inline constexpr int attention_rows = 16;  // of a warp's chunk

/// One head of one image.
template <int width>
struct attention_head {
  static constexpr int stride = width + 8;  // of a row in shared memory

  index_t first;  // the image's first row
  int tokens;
  int padded;  // in whole chunks
  int column;  // of the head's first value

  template <class Problem>
  __device__ explicit attention_head(Problem const& of) {
    int const image = static_cast<int>(blockIdx.x) / of.heads;
    first = of.offsets[image];
    tokens = static_cast<int>(of.offsets[image + 1] - first);
    padded = (tokens + attention_rows - 1) / attention_rows * attention_rows;
    column = static_cast<int>(blockIdx.x) % of.heads * width;
  }

  /// Copies the head's columns of a matrix from `col` on; rows that pad the last chunk are zero.
  __device__ shared_matrix stage(bfloat16*& memory, matrix_view<bfloat16 const> x, int col) const {
    constexpr int each = 8;  // values of 16 bytes
    shared_matrix const staged{memory, stride};
    memory += padded * stride;
    int const threads = warp_size * static_cast<int>(blockDim.y);
    for (int i = static_cast<int>(threadIdx.y) * warp_size + static_cast<int>(threadIdx.x);
         i < padded * (width / each);
         i += threads) {
      int const row = i / (width / each);
      int const at = i % (width / each) * each;
      uint4 values{};
      if (row < tokens)
        values = *reinterpret_cast<uint4 const*>(x.data + (first + row) * x.stride + col + at);
      *reinterpret_cast<uint4*>(staged.at(row, at)) = values;
    }
    return staged;
  }

  /// Stores a warp's rows (16, width) from `row` on into the head's columns of `x` from `col` on.
  __device__ void store(mma_result const (&rows)[width / 8],
                        float const (&factor)[2],
                        matrix_view<bfloat16> x,
                        int col,
                        int row) const {
    int const g = static_cast<int>(threadIdx.x) / 4;
    int const t = static_cast<int>(threadIdx.x) % 4;
    for (int half = 0; half < 2; ++half) {
      if (row + g + 8 * half >= tokens) continue;
      bfloat16* const out = x.data + (first + row + g + 8 * half) * x.stride + col + 2 * t;
      for (int n = 0; n < width / 8; ++n)
        *reinterpret_cast<std::uint32_t*>(out + 8 * n) = packed_pair(
            rows[n].values[2 * half] * factor[half], rows[n].values[2 * half + 1] * factor[half]);
    }
  }
};

}  // namespace kernels

}  // namespace mae::cuda
