#pragma once

#include <mae/backend/cuda/attention_kernels.cuh>
#include <mae/backend/cuda/block.cuh>
#include <mae/backend/cuda/status.cuh>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>

namespace mae::cuda {

/// The widths of heads that the tensor-core kernels are compiled for.
constexpr bool has_tensor_attention(index_t width) {
  return width == 32 || width == 64 || width == 80;
}

/// The bytes of shared memory that `matrices` matrices of an image's rows for one head take, and as
/// many lists of a float for each row.
constexpr std::size_t attention_bytes(index_t longest, index_t width, int matrices, int lists) {
  auto const rows = static_cast<std::size_t>(round_up(longest, kernels::attention_rows));
  auto const row_bytes = static_cast<std::size_t>(width + 8) * sizeof(bfloat16);
  return rows * (static_cast<std::size_t>(matrices) * row_bytes +
                 static_cast<std::size_t>(lists) * sizeof(float));
}
/// Queries, keys and values, for the forward pass.
constexpr std::size_t attention_forward_bytes(index_t longest, index_t width) {
  return attention_bytes(longest, width, 3, 0);
}
/// Those and the gradients of y, log sums and deltas.
constexpr std::size_t attention_backward_bytes(index_t longest, index_t width) {
  return attention_bytes(longest, width, 4, 2);
}

/// Runs a kernel of attention: a thread block for each head of each image.
template <class Problem>
void launch_attention(cudaStream_t stream,
                      void (*kernel)(Problem),
                      Problem const& of,
                      index_t images,
                      index_t longest,
                      std::size_t bytes) {
  if (images == 0) return;
  auto const warps =
      static_cast<unsigned>(std::min<index_t>(4, ceil_div(longest, kernels::attention_rows)));
  check(cudaFuncSetAttribute(
            kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "attention's shared memory");
  kernel<<<static_cast<unsigned>(images * of.heads), dim3(warp_size, warps), bytes, stream>>>(of);
  check_launch("attention");
}

inline void launch_attention_forward(cudaStream_t stream,
                                     attention_forward_problem const& of,
                                     index_t images,
                                     index_t longest) {
  index_t const width = of.y.cols / of.heads;
  auto* const kernel = width == 32   ? kernels::attend<32>
                       : width == 64 ? kernels::attend<64>
                                     : kernels::attend<80>;
  launch_attention(stream, kernel, of, images, longest, attention_forward_bytes(longest, width));
}

inline void launch_attention_backward(cudaStream_t stream,
                                      attention_backward_problem const& of,
                                      index_t images,
                                      index_t longest) {
  index_t const width = of.y_grad.cols / of.heads;
  auto* const kernel = width == 32   ? kernels::attend_backward<32>
                       : width == 64 ? kernels::attend_backward<64>
                                     : kernels::attend_backward<80>;
  launch_attention(stream, kernel, of, images, longest, attention_backward_bytes(longest, width));
}

}  // namespace mae::cuda
