#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/attention_chunk.hpp>
#include <mae/op/block_attention.hpp>
#include <mae/op/head_slices.hpp>
#include <mae/op/product_attention.hpp>

#include <span>

namespace mae {
inline namespace MAE_ISA {

/// What decides how much memory attention needs.
struct attention_extent {
  index_t rows = 0;    // of all images' queries
  index_t tokens = 0;  // of the longest image, queries or keys
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
    return extent.members *
           kernel::attention_scratch<L>::size(extent.tokens, extent.tokens, extent.head_width);
}

namespace kernel {

/// Attention by whichever of the two ways a lane has.
template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attend(L const& lane,
            attention_operands<operand_of<L> const> const& in,
            attention_rows const& rows,
            index_t heads,
            matrix_view<operand_of<L>> y,
            matrix_view<scalar_of<L>> log_sums,
            std::span<scalar_of<L>> scratch) {
  if constexpr (L::is_parallel) {
    index_t const width = y.cols / heads;
    index_t const chunks = ceil_div(rows.queries.longest(), attention_chunk::rows);
    attend_chunk<T, O> const functor{.in = in,
                                     .query_offsets = rows.queries.values().data(),
                                     .key_offsets = rows.keys.values().data(),
                                     .heads = heads,
                                     .chunks = chunks,
                                     .scale = attention_scale<T>(width),
                                     .y = y,
                                     .log_sums = log_sums};
    lane.for_blocks(rows.queries.images() * heads * chunks,
                    functor.shared_values(rows.keys.longest(), width),
                    functor);
  } else {
    attend_by_products(lane, in, rows, heads, y, log_sums, scratch);
  }
}

template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attend_backward(L const& lane,
                     attention_operands<operand_of<L> const> const& in,
                     attention_rows const& rows,
                     index_t heads,
                     matrix_view<scalar_of<L> const> log_sums,
                     matrix_view<operand_of<L> const> y_grad,
                     attention_operands<operand_of<L>> const& in_grad,
                     std::span<scalar_of<L>> scratch) {
  if constexpr (L::is_parallel) {
    index_t const width = y_grad.cols / heads;
    attention_gradient<T, O> const of{.in = in,
                                      .y_grad = y_grad,
                                      .query_offsets = rows.queries.values().data(),
                                      .key_offsets = rows.keys.values().data(),
                                      .heads = heads,
                                      .scale = attention_scale<T>(width),
                                      .log_sums = log_sums,
                                      .deltas = {scratch.data(), y_grad.rows, heads},
                                      .grad = in_grad};
    index_t const queries = rows.queries.longest();
    index_t const keys = rows.keys.longest();
    index_t const parts = rows.queries.images() * heads;
    auto const chunks = [](index_t longest) { return ceil_div(longest, attention_chunk::rows); };
    lane.for_blocks(parts * chunks(queries),
                    of.shared_values(keys, width),
                    attend_chunk_query_grad<T, O>{of, chunks(queries)});
    lane.for_blocks(parts * chunks(keys),
                    of.shared_values(queries, width),
                    attend_chunk_key_grad<T, O>{of, chunks(keys)});
  } else {
    attend_by_products_backward(lane, in, rows, heads, log_sums, y_grad, in_grad, scratch);
  }
}

}  // namespace kernel

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
  if constexpr (L::fused.attention) {
    index_t const width = y.cols / heads;
    if (lane.can_attend(offsets.longest(), width))
      return lane.attend(qkv, offsets, heads, kernel::attention_scale<T>(width), y, log_sums);
  }
  kernel::attend(
      lane, kernel::side_by_side<O const>(qkv), {offsets, offsets}, heads, y, log_sums, scratch);
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
  if constexpr (L::fused.attention) {
    index_t const width = y_grad.cols / heads;
    if (lane.can_attend(offsets.longest(), width))
      return lane.attend_backward(
          qkv, offsets, heads, kernel::attention_scale<T>(width), log_sums, y_grad, qkv_grad);
  }
  kernel::attend_backward(lane,
                          kernel::side_by_side<O const>(qkv),
                          {offsets, offsets},
                          heads,
                          log_sums,
                          y_grad,
                          kernel::side_by_side<O>(qkv_grad),
                          scratch);
}

/// Likewise of rows that ask others: q (query rows, D), and keys and values side by side, kv (key
/// rows, 2 D), of the same images; y (query rows, D); log_sums (query rows, H). An image without
/// queries is passed over; one with queries has keys.
template <Lane L, class O = operand_of<L>>
void cross_attention_forward(L const& lane,
                             matrix_view<operand_of<L> const> q,
                             matrix_view<operand_of<L> const> kv,
                             attention_rows const& rows,
                             index_t heads,
                             matrix_view<operand_of<L>> y,
                             matrix_view<scalar_of<L>> log_sums,
                             std::span<scalar_of<L>> scratch) {
  kernel::attend(lane, kernel::apart<O const>(q, kv), rows, heads, y, log_sums, scratch);
}

/// The gradients of q and kv; zero for keys of an image without queries.
template <Lane L, class O = operand_of<L>>
// NOLINTNEXTLINE(readability-function-size): each is another array
void cross_attention_backward(L const& lane,
                              matrix_view<operand_of<L> const> q,
                              matrix_view<operand_of<L> const> kv,
                              attention_rows const& rows,
                              index_t heads,
                              matrix_view<scalar_of<L> const> log_sums,
                              matrix_view<operand_of<L> const> y_grad,
                              matrix_view<operand_of<L>> q_grad,
                              matrix_view<operand_of<L>> kv_grad,
                              std::span<scalar_of<L>> scratch) {
  kernel::attend_backward(lane,
                          kernel::apart<O const>(q, kv),
                          rows,
                          heads,
                          log_sums,
                          y_grad,
                          kernel::apart<O>(q_grad, kv_grad),
                          scratch);
}

}  // namespace MAE_ISA
}  // namespace mae
