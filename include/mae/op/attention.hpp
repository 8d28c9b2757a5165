#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/block_attention.hpp>
#include <mae/op/product_attention.hpp>

#include <span>

namespace mae {
inline namespace MAE_ISA {

/// What decides how much memory attention needs.
struct attention_extent {
  index_t rows = 0;    // of all images
  index_t tokens = 0;  // of the longest image
  index_t heads = 0;
  index_t head_width = 0;
  int members = 1;  // of a lane that is not parallel
};

/// How many scalars of scratch memory attention needs.
template <Lane L>
constexpr index_t attention_scratch_size(attention_extent const& extent) {
  if constexpr (L::is_parallel)
    return extent.rows * extent.heads;
  else
    return extent.members * kernel::attention_scratch<L>::size(extent.tokens, extent.head_width);
}

/// Multi-head self-attention within each image (Vaswani et al. 2017, arXiv 1706.03762, Eq. 1):
/// softmax(Q K^T / sqrt(D / H)) V. qkv (rows, 3 D): queries, keys and values side by side, each H
/// heads of D / H; y (rows, D); log_sums (rows, H) for the backward pass.
template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attention_forward(L const& lane,
                       matrix_view<operand_of<L> const> qkv,
                       row_offsets offsets,
                       index_t heads,
                       matrix_view<operand_of<L>> y,
                       matrix_view<scalar_of<L>> log_sums,
                       std::span<scalar_of<L>> scratch) {
  index_t const width = y.cols / heads;
  T const scale = kernel::attention_scale<T>(width);
  if constexpr (L::fused.attention) {
    if (lane.can_attend(offsets.longest(), width))
      return lane.attend(qkv, offsets, heads, scale, y, log_sums);
  }
  if constexpr (L::is_parallel) {
    index_t const chunks = ceil_div(offsets.longest(), kernel::attention_chunk::rows);
    kernel::attend_chunk<T, O> const functor{.qkv = qkv,
                                             .offsets = offsets.values().data(),
                                             .heads = heads,
                                             .chunks = chunks,
                                             .scale = scale,
                                             .y = y,
                                             .log_sums = log_sums};
    lane.for_blocks(offsets.images() * heads * chunks,
                    functor.shared_values(offsets.longest(), width),
                    functor);
  } else {
    kernel::attend_by_products(lane, qkv, offsets, heads, y, log_sums, scratch);
  }
}

/// The gradient of qkv from that of y; the probabilities are computed again, which costs less than
/// keeping them. qkv_grad (rows, 3 D).
template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attention_backward(L const& lane,
                        matrix_view<operand_of<L> const> qkv,
                        row_offsets offsets,
                        index_t heads,
                        matrix_view<scalar_of<L> const> log_sums,
                        matrix_view<operand_of<L> const> y_grad,
                        matrix_view<operand_of<L>> qkv_grad,
                        std::span<scalar_of<L>> scratch) {
  index_t const width = y_grad.cols / heads;
  T const scale = kernel::attention_scale<T>(width);
  if constexpr (L::fused.attention) {
    if (lane.can_attend(offsets.longest(), width))
      return lane.attend_backward(qkv, offsets, heads, scale, log_sums, y_grad, qkv_grad);
  }
  if constexpr (L::is_parallel) {
    index_t const chunks = ceil_div(offsets.longest(), kernel::attention_chunk::rows);
    kernel::attention_gradient<T, O> const of{
        .qkv = qkv,
        .y_grad = y_grad,
        .offsets = offsets.values().data(),
        .heads = heads,
        .chunks = chunks,
        .scale = scale,
        .log_sums = log_sums,
        .deltas = matrix_view<T>(scratch.data(), qkv.rows, heads),
        .qkv_grad = qkv_grad};
    index_t const blocks = offsets.images() * heads * chunks;
    index_t const shared = of.shared_values(offsets.longest(), width);
    lane.for_blocks(blocks, shared, kernel::attend_chunk_query_grad<T, O>{of});
    lane.for_blocks(blocks, shared, kernel::attend_chunk_key_grad<T, O>{of});
  } else {
    kernel::attend_by_products_backward(
        lane, qkv, offsets, heads, log_sums, y_grad, qkv_grad, scratch);
  }
}

}  // namespace MAE_ISA
}  // namespace mae
