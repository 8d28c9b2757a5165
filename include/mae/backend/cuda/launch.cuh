#pragma once

#include <mae/backend/cuda/block.cuh>
#include <mae/backend/cuda/status.cuh>
#include <mae/backend/cuda/strict_arithmetic.cuh>
#include <mae/core/types.hpp>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <type_traits>

namespace mae::cuda {

/// The kernels that run functors: all that the library launches.
namespace kernels {

inline constexpr int warps_per_block = 4;

/// functor(warp, row): a warp a row.
template <class Functor>
__global__ void __launch_bounds__(warp_size* warps_per_block)
    run_rows(index_t count, Functor functor) {
  index_t const row = static_cast<index_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row < count) functor(warp_block{}, row);
}

/// functor(block, number, shared memory): a block for each number.
template <class T, class Functor>
__global__ void __launch_bounds__(warp_size* warps_per_block) run_blocks(Functor functor) {
  extern __shared__ __align__(16) std::byte shared[];  // NOLINT(*-avoid-c-arrays)
  functor(thread_block{}, static_cast<index_t>(blockIdx.x), reinterpret_cast<T*>(shared));
}

/// functor(i): a thread for each i.
template <class Functor>
__global__ void __launch_bounds__(256) run_each(index_t count, Functor functor) {
  require_strict_arithmetic();
  index_t const i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) functor(i);
}

/// epilogue(values, row, col, 1) for every entry of a product (rows, cols) that stands in memory.
template <class T, class Epilogue>
__global__ void __launch_bounds__(256)
    run_epilogue(T const* product, index_t rows, index_t cols, Epilogue epilogue) {
  index_t const row = static_cast<index_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  T const* const values = product + row * cols;
  // Four values are on their way at once: the compiler cannot know that no store changes them.
  constexpr int at_once = 4;
  index_t const step = blockDim.x;
  index_t col = threadIdx.x;
  for (; col + (at_once - 1) * step < cols; col += at_once * step) {
    T loaded[at_once];  // NOLINT(*-avoid-c-arrays): registers
    for (int i = 0; i < at_once; ++i) loaded[i] = values[col + i * step];
    for (int i = 0; i < at_once; ++i)
      epilogue(loaded + i, row, col + i * step, std::integral_constant<index_t, 1>{});
  }
  for (; col < cols; col += step)
    epilogue(values + col, row, col, std::integral_constant<index_t, 1>{});
}

/// The threads that take turns at the rows of a column.
inline constexpr int threads_per_column = 8;

/// The sum of the values that the threads of a column have, in those of the first warp: a fixed
/// order.
template <class T>
__device__ T sum_over_column(T mine) {
  __shared__ T sums[threads_per_column][warp_size + 1];  // NOLINT(*-avoid-c-arrays)
  sums[threadIdx.y][threadIdx.x] = mine;
  __syncthreads();
  if (threadIdx.y == 0)
    for (int i = 1; i < threads_per_column; ++i) mine += sums[i][threadIdx.x];
  return mine;
}

/// partial(chunk, col) = the sum of functor(row, col) over the rows of a chunk, in a fixed order.
template <class T, class Functor>
__global__ void __launch_bounds__(warp_size* threads_per_column)
    sum_column_chunks(index_t rows, index_t each, index_t cols, Functor functor, T* partial) {
  index_t const col = static_cast<index_t>(blockIdx.x) * warp_size + threadIdx.x;
  index_t const first = static_cast<index_t>(blockIdx.y) * each;
  index_t const last = first + each < rows ? first + each : rows;
  // Four sums, so that four rows are on their way at once.
  constexpr int at_once = 4;
  constexpr index_t step = threads_per_column;
  T parts[at_once] = {};  // NOLINT(*-avoid-c-arrays): registers
  if (col < cols) {
    index_t row = first + threadIdx.y;
    for (; row + (at_once - 1) * step < last; row += at_once * step)
      for (int i = 0; i < at_once; ++i) parts[i] += functor(row + i * step, col);
    for (; row < last; row += step) parts[0] += functor(row, col);
  }
  T const sum = sum_over_column((parts[0] + parts[1]) + (parts[2] + parts[3]));
  if (threadIdx.y == 0 && col < cols) partial[static_cast<index_t>(blockIdx.y) * cols + col] = sum;
}

/// sums[col] += the chunks' sums, in order.
template <class T>
__global__ void __launch_bounds__(warp_size* threads_per_column)
    add_column_chunks(T const* partial, index_t chunks, index_t stride, index_t cols, T* sums) {
  index_t const col = static_cast<index_t>(blockIdx.x) * warp_size + threadIdx.x;
  T sum{0};
  if (col < cols)
    for (index_t chunk = threadIdx.y; chunk < chunks; chunk += threads_per_column)
      sum += partial[chunk * stride + col];
  sum = sum_over_column(sum);
  if (threadIdx.y == 0 && col < cols) sums[col] += sum;
}

inline constexpr int threads_per_sum = 256;
inline constexpr int values_per_sum = 8192;

/// The sum of the block's values, in thread 0: a fixed tree.
__device__ inline double sum_over_block(double mine) {
  __shared__ double sums[threads_per_sum];  // NOLINT(*-avoid-c-arrays)
  sums[threadIdx.x] = mine;
  for (unsigned half = threads_per_sum / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  return sums[0];
}

/// partial[block] = the sum of functor(i) over the block's values.
template <class Functor>
__global__ void __launch_bounds__(threads_per_sum)
    sum_chunks(index_t count, Functor functor, double* partial) {
  index_t const first = static_cast<index_t>(blockIdx.x) * values_per_sum;
  index_t const last = first + values_per_sum < count ? first + values_per_sum : count;
  double sum = 0;
  for (index_t i = first + threadIdx.x; i < last; i += threads_per_sum) sum += functor(i);
  sum = sum_over_block(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/// *total += the sum of all chunks: one block.
template <int threads>
__global__ void __launch_bounds__(threads)
    add_chunks(index_t chunks, double const* partial, double* total) {
  double sum = 0;
  for (index_t i = threadIdx.x; i < chunks; i += threads) sum += partial[i];
  sum = sum_over_block(sum);
  if (threadIdx.x == 0) *total += sum;
}

/// Copies a matrix row by row into another type, or as it is, without gaps.
template <class From, class To>
struct copy_converted {
  From const* from;
  index_t stride;
  To* to;
  index_t cols;

  __host__ __device__ void operator()(index_t i) const {
    index_t const row = i / cols;
    to[i] = static_cast<To>(from[row * stride + (i - row * cols)]);
  }
};

}  // namespace kernels

/// How many blocks of `each` cover `count`.
inline unsigned blocks_for(index_t count, index_t each) {
  return static_cast<unsigned>(ceil_div(count, each));
}

template <class Functor>
void launch_rows(cudaStream_t stream, index_t count, Functor const& functor) {
  if (count == 0) return;
  constexpr int warps = kernels::warps_per_block;
  kernels::run_rows<<<blocks_for(count, warps), dim3(warp_size, warps), 0, stream>>>(count,
                                                                                     functor);
  check_launch("rows");
}

template <class T, class Functor>
void launch_blocks(cudaStream_t stream, index_t count, index_t shared, Functor const& functor) {
  if (count == 0) return;
  auto const bytes = static_cast<std::size_t>(shared) * sizeof(T);
  auto* const run = kernels::run_blocks<T, Functor>;
  constexpr std::size_t without_asking = 48 << 10;
  if (bytes > without_asking && cudaFuncSetAttribute(run,
                                                     cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                     static_cast<int>(bytes)) != cudaSuccess) {
    cudaGetLastError();
    throw device_error(describe(
        "attention",
        "sequences of this length need " + std::to_string(bytes >> 10U) +
            " KiB of a GPU block's shared memory, more than this GPU has: take larger patches",
        std::source_location::current()));
  }
  run<<<static_cast<unsigned>(count), dim3(warp_size, kernels::warps_per_block), bytes, stream>>>(
      functor);
  check_launch("blocks");
}

template <class Functor>
void launch_each(cudaStream_t stream, index_t count, Functor const& functor) {
  if (count == 0) return;
  constexpr int threads = 256;
  kernels::run_each<<<blocks_for(count, threads), threads, 0, stream>>>(count, functor);
  check_launch("elements");
}

template <class T, class Epilogue>
void launch_epilogue(
    cudaStream_t stream, T const* product, index_t rows, index_t cols, Epilogue const& epilogue) {
  dim3 const threads(64, 4);
  kernels::run_epilogue<<<blocks_for(rows, 4), threads, 0, stream>>>(product, rows, cols, epilogue);
  check_launch("epilogue");
}

/// The rows of a chunk of a column's sum: chunks enough that their blocks fill a GPU.
constexpr index_t rows_per_chunk(index_t rows, index_t cols) {
  constexpr index_t blocks = 1024;
  index_t const chunks = ceil_div(blocks, ceil_div(cols, warp_size));
  return std::max<index_t>(64, ceil_div(rows, chunks));
}
/// The scalars that launch_column_sums needs for its chunks.
constexpr index_t column_sum_partials(index_t rows, index_t cols) {
  return ceil_div(rows, rows_per_chunk(rows, cols)) * cols;
}

/// sums[col] += the sum over chunks of partial(chunk, col), whose rows are `stride` apart.
template <class T>
void launch_chunk_sums(
    cudaStream_t stream, T const* partial, index_t chunks, index_t stride, index_t cols, T* sums) {
  dim3 const threads(warp_size, kernels::threads_per_column);
  kernels::add_column_chunks<<<blocks_for(cols, warp_size), threads, 0, stream>>>(
      partial, chunks, stride, cols, sums);
  check_launch("sums of chunks");
}

template <class T, class Functor>
void launch_column_sums(
    cudaStream_t stream, index_t rows, index_t cols, Functor const& functor, T* partial, T* sums) {
  if (rows == 0) return;
  index_t const each = rows_per_chunk(rows, cols);
  unsigned const chunks = blocks_for(rows, each);
  dim3 const blocks(blocks_for(cols, warp_size), chunks);
  dim3 const threads(warp_size, kernels::threads_per_column);
  kernels::sum_column_chunks<<<blocks, threads, 0, stream>>>(rows, each, cols, functor, partial);
  check_launch("column sums");
  launch_chunk_sums(stream, partial, static_cast<index_t>(chunks), cols, cols, sums);
}

/// The doubles that launch_sum needs for its chunks.
constexpr index_t sum_partials(index_t count) {
  return ceil_div(count, kernels::values_per_sum);
}

template <class Functor>
void launch_sum(
    cudaStream_t stream, index_t count, Functor const& functor, double* partial, double* total) {
  if (count == 0) return;
  auto const chunks = sum_partials(count);
  kernels::sum_chunks<<<static_cast<unsigned>(chunks), kernels::threads_per_sum, 0, stream>>>(
      count, functor, partial);
  check_launch("sum");
  constexpr int threads = kernels::threads_per_sum;
  kernels::add_chunks<threads><<<1, threads, 0, stream>>>(chunks, partial, total);
  check_launch("sum");
}

}  // namespace mae::cuda
