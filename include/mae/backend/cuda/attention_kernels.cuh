#pragma once

#include <mae/backend/cuda/attention_head.cuh>
#include <mae/backend/cuda/block.cuh>
#include <mae/backend/cuda/mma.cuh>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cstddef>
#include <cstdint>

namespace mae::cuda {

/// Attention of bfloat16 on tensor cores, after FlashAttention-2 (Dao 2023, arXiv 2307.08691): a
/// thread block takes one head of one image and keeps its rows in shared memory; a warp takes 16 of
/// its queries, or keys, at a time. No score leaves the registers.
struct attention_forward_problem {
  matrix_view<bfloat16 const> qkv;  // (rows, 3 D)
  index_t const* offsets;
  int heads;
  float scale;
  matrix_view<bfloat16> y;      // (rows, D), written
  matrix_view<float> log_sums;  // (rows, H), written
};
struct attention_backward_problem {
  matrix_view<bfloat16 const> qkv;
  index_t const* offsets;
  int heads;
  float scale;
  matrix_view<float const> log_sums;
  matrix_view<bfloat16 const> y_grad;  // (rows, D)
  matrix_view<bfloat16> qkv_grad;      // (rows, 3 D), written
};

namespace kernels {

/// a (16, width) as left operands.
template <int width>
__device__ void load_left(mma_left (&left)[width / 16], shared_matrix const& x, int row) {
  for (int k = 0; k < width / 16; ++k) left[k] = x.left(row, 16 * k);
}

/// Products of a chunk with rows `row` .. `row` + 16 of x: (16, 16).
template <int width>
__device__ void multiply_by_rows(mma_result (&sums)[2],
                                 mma_left const (&chunk)[width / 16],
                                 shared_matrix const& x,
                                 int row) {
  sums[0] = sums[1] = {};
  for (int k = 0; k < width / 16; ++k) {
    auto const right = x.transposed_right(row, 16 * k);
    multiply_add(sums[0], chunk[k], right, 0);
    multiply_add(sums[1], chunk[k], right, 1);
  }
}

/// sums (16, width) += weights (16, 16) times rows `row` .. `row` + 16 of x.
template <int width>
__device__ void add_weighted_rows(mma_result (&sums)[width / 8],
                                  mma_left const& weights,
                                  shared_matrix const& x,
                                  int row) {
  for (int n = 0; n < width / 16; ++n) {
    auto const right = x.right(row, 16 * n);
    multiply_add(sums[2 * n], weights, right, 0);
    multiply_add(sums[2 * n + 1], weights, right, 1);
  }
}

/// f(value, half, column) for a thread's eight entries of two results side by side: `half` says
/// which of its two rows, `column` in [0, 16).
template <class F>
__device__ void for_entries(mma_result (&pair)[2], F const& f) {
  int const t = static_cast<int>(threadIdx.x) % 4;
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 4; ++i) f(pair[n].values[i], i / 2, 8 * n + 2 * t + i % 2);
}

template <int width>
__global__ void __launch_bounds__(128, 2) attend(attention_forward_problem of) {
  extern __shared__ __align__(16) std::byte shared[];  // NOLINT(*-avoid-c-arrays)
  auto* memory = reinterpret_cast<bfloat16*>(shared);
  attention_head<width> const head(of);
  int const depth = static_cast<int>(of.y.cols);
  auto const queries = head.stage(memory, of.qkv, head.column);
  auto const keys = head.stage(memory, of.qkv, depth + head.column);
  auto const values = head.stage(memory, of.qkv, 2 * depth + head.column);
  __syncthreads();
  int const g = static_cast<int>(threadIdx.x) / 4;

  for (int row = attention_rows * static_cast<int>(threadIdx.y); row < head.tokens;
       row += attention_rows * static_cast<int>(blockDim.y)) {
    mma_left query[width / 16];
    load_left<width>(query, queries, row);
    mma_result sums[width / 8] = {};
    float top[2] = {-INFINITY, -INFINITY};
    float total[2] = {0.0F, 0.0F};
    for (int j = 0; j < head.padded; j += 16) {
      mma_result scores[2];
      multiply_by_rows<width>(scores, query, keys, j);
      float highest[2] = {-INFINITY, -INFINITY};
      for_entries(scores, [&](float& score, int half, int column) {
        score = j + column < head.tokens ? score * of.scale : -INFINITY;
        highest[half] = fmaxf(highest[half], score);
      });
      float shrink[2];
      for (int half = 0; half < 2; ++half) {
        float const higher = fmaxf(top[half], row_max(highest[half]));
        shrink[half] = __expf(top[half] - higher);
        top[half] = higher;
        total[half] *= shrink[half];
      }
      for_entries(scores, [&](float& score, int half, int /*column*/) {
        score = __expf(score - top[half]);
        total[half] += score;
      });
      for (auto& sum : sums)
        for (int i = 0; i < 4; ++i) sum.values[i] *= shrink[i / 2];
      add_weighted_rows<width>(sums, as_left(scores[0], scores[1]), values, j);
    }
    float inverse[2];
    for (int half = 0; half < 2; ++half) {
      total[half] = row_sum(total[half]);
      inverse[half] = 1.0F / total[half];
      int const at = row + g + 8 * half;
      if (threadIdx.x % 4 == 0 && at < head.tokens)
        of.log_sums.data[(head.first + at) * of.log_sums.stride + head.column / width] =
            top[half] + __logf(total[half]);
    }
    head.store(sums, inverse, of.y, head.column, row);
  }
}

/// What a warp needs to rebuild probabilities and the gradients of scores.
struct score_gradients {
  float scale;
  int tokens;
  float const* log_sums;  // of the image's queries, in shared memory
  float* deltas;          // likewise: the sum over keys of p dp

  __device__ float probability(float product, float log_sum) const {
    return __expf(product * scale - log_sum);
  }
};

/// 16 queries: their gradients, and their deltas.
template <int width>
__device__ void differentiate_queries(attention_backward_problem const& of,
                                      attention_head<width> const& head,
                                      score_gradients const& with,
                                      shared_matrix const& queries,
                                      shared_matrix const& keys,
                                      shared_matrix const& values,
                                      shared_matrix const& y_grads,
                                      int row) {
  int const g = static_cast<int>(threadIdx.x) / 4;
  mma_left query[width / 16];
  mma_left y_grad[width / 16];
  load_left<width>(query, queries, row);
  load_left<width>(y_grad, y_grads, row);
  float const log_sum[2] = {with.log_sums[row + g], with.log_sums[row + g + 8]};
  mma_result scores[2];
  mma_result grads[2];
  auto const rebuild = [&](int j) {
    multiply_by_rows<width>(scores, query, keys, j);
    multiply_by_rows<width>(grads, y_grad, values, j);
    for_entries(scores, [&](float& score, int half, int column) {
      score = j + column < with.tokens ? with.probability(score, log_sum[half]) : 0.0F;
    });
  };
  float delta[2] = {0.0F, 0.0F};
  for (int j = 0; j < head.padded; j += 16) {
    rebuild(j);
    for (int n = 0; n < 2; ++n)
      for (int i = 0; i < 4; ++i) delta[i / 2] += scores[n].values[i] * grads[n].values[i];
  }
  for (int half = 0; half < 2; ++half) {
    delta[half] = row_sum(delta[half]);
    if (threadIdx.x % 4 == 0) with.deltas[row + g + 8 * half] = delta[half];
  }
  mma_result sums[width / 8] = {};
  for (int j = 0; j < head.padded; j += 16) {
    rebuild(j);
    for (int n = 0; n < 2; ++n)
      for (int i = 0; i < 4; ++i)
        scores[n].values[i] *= with.scale * (grads[n].values[i] - delta[i / 2]);
    add_weighted_rows<width>(sums, as_left(scores[0], scores[1]), keys, j);
  }
  float const as_is[2] = {1.0F, 1.0F};
  head.store(sums, as_is, of.qkv_grad, head.column, row);
}

/// 16 keys and values: their gradients.
template <int width>
__device__ void differentiate_keys(attention_backward_problem const& of,
                                   attention_head<width> const& head,
                                   score_gradients const& with,
                                   shared_matrix const& queries,
                                   shared_matrix const& keys,
                                   shared_matrix const& values,
                                   shared_matrix const& y_grads,
                                   int row) {
  mma_left key[width / 16];
  mma_left value[width / 16];
  load_left<width>(key, keys, row);
  load_left<width>(value, values, row);
  mma_result key_sums[width / 8] = {};
  mma_result value_sums[width / 8] = {};
  for (int j = 0; j < head.padded; j += 16) {
    mma_result scores[2];
    mma_result grads[2];
    multiply_by_rows<width>(scores, key, queries, j);
    multiply_by_rows<width>(grads, value, y_grads, j);
    for_entries(scores, [&](float& score, int /*half*/, int column) {
      score = j + column < with.tokens ? with.probability(score, with.log_sums[j + column]) : 0.0F;
    });
    add_weighted_rows<width>(value_sums, as_left(scores[0], scores[1]), y_grads, j);
    for_entries(grads, [&](float& grad, int /*half*/, int column) {
      grad = with.scale * (grad - with.deltas[j + column]);
    });
    for (int n = 0; n < 2; ++n)
      for (int i = 0; i < 4; ++i) scores[n].values[i] *= grads[n].values[i];
    add_weighted_rows<width>(key_sums, as_left(scores[0], scores[1]), queries, j);
  }
  int const depth = static_cast<int>(of.y_grad.cols);
  float const as_is[2] = {1.0F, 1.0F};
  head.store(key_sums, as_is, of.qkv_grad, depth + head.column, row);
  head.store(value_sums, as_is, of.qkv_grad, 2 * depth + head.column, row);
}

template <int width>
__global__ void __launch_bounds__(128, 2) attend_backward(attention_backward_problem of) {
  extern __shared__ __align__(16) std::byte shared[];  // NOLINT(*-avoid-c-arrays)
  auto* memory = reinterpret_cast<bfloat16*>(shared);
  attention_head<width> const head(of);
  int const depth = static_cast<int>(of.y_grad.cols);
  auto const queries = head.stage(memory, of.qkv, head.column);
  auto const keys = head.stage(memory, of.qkv, depth + head.column);
  auto const values = head.stage(memory, of.qkv, 2 * depth + head.column);
  auto const y_grads = head.stage(memory, of.y_grad, head.column);
  auto* const log_sums = reinterpret_cast<float*>(memory);
  float* const deltas = log_sums + head.padded;
  int const threads = warp_size * static_cast<int>(blockDim.y);
  for (int i = static_cast<int>(threadIdx.y) * warp_size + static_cast<int>(threadIdx.x);
       i < head.padded;
       i += threads)
    log_sums[i] =
        i < head.tokens
            ? of.log_sums.data[(head.first + i) * of.log_sums.stride + head.column / width]
            : 0.0F;
  __syncthreads();
  score_gradients const with{of.scale, head.tokens, log_sums, deltas};
  int const begin = attention_rows * static_cast<int>(threadIdx.y);
  int const step = attention_rows * static_cast<int>(blockDim.y);
  for (int row = begin; row < head.tokens; row += step)
    differentiate_queries<width>(of, head, with, queries, keys, values, y_grads, row);
  __syncthreads();
  for (int row = begin; row < head.tokens; row += step)
    differentiate_keys<width>(of, head, with, queries, keys, values, y_grads, row);
}

}  // namespace kernels

}  // namespace mae::cuda
