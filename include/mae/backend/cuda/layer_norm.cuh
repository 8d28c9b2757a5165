#pragma once

#include <mae/backend/cuda/block.cuh>
#include <mae/backend/cuda/status.cuh>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace mae::cuda {

/// Layer norm with each row read once: a warp holds a row in registers, four neighbours a thread.
/// Rows are (rows, D), D a multiple of 4; see op/layer_norm.hpp for what is computed.
template <class T, class Y>
struct norm_forward_problem {
  matrix_view<T const> x;
  T const* weight;
  T const* bias;
  T epsilon;
  matrix_view<Y> y;
  matrix_view<T> statistics;  // (rows, 2)
};
template <class T>
struct norm_backward_problem {
  matrix_view<T const> x;
  T const* weight;
  matrix_view<T const> statistics;
  matrix_view<T const> y_grad;
  matrix_view<T> x_grad;  // added to
  T* partial;             // (blocks, 2 D): the blocks' sums for weight and bias
};

namespace kernels {

/// Four neighbours, loaded and stored at once.
template <class T>
struct alignas(4 * sizeof(T)) four {
  T values[4];  // NOLINT(*-avoid-c-arrays)
};

inline constexpr int norm_warps = 4;

template <class T>
__device__ four<T> load_four(T const* from) {
  return *reinterpret_cast<four<T> const*>(from);
}

/// The first of the four columns that a thread holds in part k.
__device__ inline int norm_column(int k) {
  return 4 * (warp_size * k + static_cast<int>(threadIdx.x));
}

template <class T>
__device__ T sum_over_warp(T value) {
  for (int mask = warp_size / 2; mask > 0; mask /= 2) value += thread::exchange(value, mask);
  return value;
}

/// `parts` fours a thread cover a row.
template <int parts, class T, class Y>
__global__ void __launch_bounds__(warp_size* norm_warps, 2)
    normalise_rows(norm_forward_problem<T, Y> of) {
  index_t const row = static_cast<index_t>(blockIdx.x) * norm_warps + threadIdx.y;
  if (row >= of.x.rows) return;
  int const cols = static_cast<int>(of.x.cols);
  T const* const in = of.x.data + row * of.x.stride;
  four<T> x[parts] = {};
  T sum{0};
  for (int k = 0; k < parts; ++k)
    if (norm_column(k) < cols) {
      x[k] = load_four(in + norm_column(k));
      for (T const value : x[k].values) sum += value;
    }
  T const mean = sum_over_warp(sum) / static_cast<T>(cols);
  T squares{0};
  for (int k = 0; k < parts; ++k)
    if (norm_column(k) < cols)
      for (T const value : x[k].values) squares += (value - mean) * (value - mean);
  T const variance = sum_over_warp(squares) / static_cast<T>(cols);
  T const scale = T{1} / std::sqrt(variance + of.epsilon);
  Y* const out = of.y.data + row * of.y.stride;
  for (int k = 0; k < parts; ++k)
    if (norm_column(k) < cols) {
      auto const weight = load_four(of.weight + norm_column(k));
      auto const bias = load_four(of.bias + norm_column(k));
      four<Y> y;
      for (int i = 0; i < 4; ++i)
        y.values[i] =
            static_cast<Y>((x[k].values[i] - mean) * scale * weight.values[i] + bias.values[i]);
      *reinterpret_cast<four<Y>*>(out + norm_column(k)) = y;
    }
  if (threadIdx.x > 0) return;
  of.statistics.data[row * of.statistics.stride] = mean;
  of.statistics.data[row * of.statistics.stride + 1] = scale;
}

/// Adds up the columns' sums of a block's warps, in order, and stores them.
template <int parts, class T>
__device__ void store_block_sums(four<T> (&mine)[parts], int cols, T* to) {
  __shared__ T others[norm_warps - 1][4 * warp_size * parts];  // NOLINT(*-avoid-c-arrays)
  __syncthreads();                                             // what these held before is read
  if (threadIdx.y > 0)
    for (int k = 0; k < parts; ++k)
      for (int i = 0; i < 4; ++i) others[threadIdx.y - 1][norm_column(k) + i] = mine[k].values[i];
  __syncthreads();
  if (threadIdx.y > 0) return;
  for (int k = 0; k < parts; ++k)
    if (norm_column(k) < cols)
      for (int i = 0; i < 4; ++i) {
        for (int warp = 0; warp < norm_warps - 1; ++warp)
          mine[k].values[i] += others[warp][norm_column(k) + i];
        to[norm_column(k) + i] = mine[k].values[i];
      }
}

/// The gradient of the input, and the blocks' sums of the weights' gradients: each warp takes rows
/// in turn and keeps the sums of its columns.
template <int parts, class T>
__global__ void __launch_bounds__(warp_size* norm_warps, 2)
    differentiate_norm(norm_backward_problem<T> of) {
  int const cols = static_cast<int>(of.x.cols);
  auto const count = static_cast<T>(cols);
  four<T> weight_sum[parts] = {};
  four<T> bias_sum[parts] = {};
  index_t const step = static_cast<index_t>(gridDim.x) * norm_warps;
  for (index_t row = static_cast<index_t>(blockIdx.x) * norm_warps + threadIdx.y; row < of.x.rows;
       row += step) {
    T const* const in = of.x.data + row * of.x.stride;
    T const* const dy = of.y_grad.data + row * of.y_grad.stride;
    T* const dx = of.x_grad.data + row * of.x_grad.stride;
    T const mean = of.statistics.data[row * of.statistics.stride];
    T const scale = of.statistics.data[row * of.statistics.stride + 1];
    four<T> normal[parts] = {};
    four<T> g[parts] = {};  // dy * weight
    T g_sum{0};
    T gn_sum{0};
    for (int k = 0; k < parts; ++k)
      if (norm_column(k) < cols) {
        auto const x = load_four(in + norm_column(k));
        auto const y_grad = load_four(dy + norm_column(k));
        auto const weight = load_four(of.weight + norm_column(k));
        for (int i = 0; i < 4; ++i) {
          T const n = (x.values[i] - mean) * scale;
          normal[k].values[i] = n;
          g[k].values[i] = y_grad.values[i] * weight.values[i];
          g_sum += g[k].values[i];
          gn_sum += g[k].values[i] * n;
          weight_sum[k].values[i] += y_grad.values[i] * n;
          bias_sum[k].values[i] += y_grad.values[i];
        }
      }
    T const g_mean = sum_over_warp(g_sum) / count;
    T const gn_mean = sum_over_warp(gn_sum) / count;
    for (int k = 0; k < parts; ++k)
      if (norm_column(k) < cols) {
        auto x_grad = load_four(dx + norm_column(k));
        for (int i = 0; i < 4; ++i)
          x_grad.values[i] += scale * (g[k].values[i] - g_mean - normal[k].values[i] * gn_mean);
        *reinterpret_cast<four<T>*>(dx + norm_column(k)) = x_grad;
      }
  }
  T* const partial = of.partial + static_cast<index_t>(blockIdx.x) * 2 * cols;
  store_block_sums<parts>(weight_sum, cols, partial);
  store_block_sums<parts>(bias_sum, cols, partial + cols);
}

}  // namespace kernels

/// Whether a warp can hold rows of this width in registers.
constexpr bool has_norm(index_t width) {
  return width % 4 == 0 && width <= 1280;
}

/// run(constant): with the least number of fours a thread that cover `width` columns, of those that
/// kernels are compiled for.
template <class Run>
void with_norm_parts(index_t width, Run const& run) {
  index_t const parts = ceil_div(width, 4 * warp_size);
  if (parts <= 1) return run(std::integral_constant<int, 1>{});
  if (parts <= 2) return run(std::integral_constant<int, 2>{});
  if (parts <= 4) return run(std::integral_constant<int, 4>{});
  if (parts <= 6) return run(std::integral_constant<int, 6>{});
  run(std::integral_constant<int, 10>{});
}

template <class T, class Y>
void launch_norm_forward(cudaStream_t stream, norm_forward_problem<T, Y> const& of) {
  if (of.x.rows == 0) return;
  auto const blocks = static_cast<unsigned>(ceil_div(of.x.rows, kernels::norm_warps));
  with_norm_parts(of.x.cols, [&](auto parts) {
    kernels::normalise_rows<decltype(parts)::value>
        <<<blocks, dim3(warp_size, kernels::norm_warps), 0, stream>>>(of);
  });
  check_launch("layer norm");
}

/// The blocks of the backward pass: enough to fill a GPU, few enough that their sums are few.
constexpr index_t norm_blocks(index_t rows) {
  return std::min<index_t>(ceil_div(rows, kernels::norm_warps), 512);
}
template <class T>
void launch_norm_backward(cudaStream_t stream, norm_backward_problem<T> const& of) {
  auto const blocks = static_cast<unsigned>(norm_blocks(of.x.rows));
  with_norm_parts(of.x.cols, [&](auto parts) {
    kernels::differentiate_norm<decltype(parts)::value>
        <<<blocks, dim3(warp_size, kernels::norm_warps), 0, stream>>>(of);
  });
  check_launch("layer norm's gradients");
}

}  // namespace mae::cuda
