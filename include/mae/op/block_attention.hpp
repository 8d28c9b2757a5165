#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/attention_chunk.hpp>
#include <mae/op/head_slices.hpp>

#include <cmath>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// The forward pass of a chunk of queries.
template <class T, class O>
struct attend_chunk {
  attention_operands<O const> in;
  index_t const* query_offsets;
  index_t const* key_offsets;
  index_t heads;
  index_t chunks;  // of the most queries
  T scale;
  matrix_view<O> y;         // (query rows, D)
  matrix_view<T> log_sums;  // (query rows, H)

  static constexpr index_t shared_values(index_t keys, index_t width) {
    using shape = attention_chunk;
    return shape::staged_chunk(width) + shape::staged_tile(width) + shape::scores(keys);
  }

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t number, T* shared) const {
    using shape = attention_chunk;
    attention_item const at(query_offsets, key_offsets, heads, chunks, number);
    if (at.count <= 0) return;
    index_t const width = y.cols / heads;
    index_t const tokens = at.others.count;
    auto const head = slice_head(in, at.own, at.others, at.head, width);
    T* const queries = shared;
    T* const keys = queries + shape::staged_chunk(width);
    T* const scores = keys + shape::staged_tile(width);

    stage_transposed(
        block, head.query.middle_rows(at.begin, at.count), shape::rows, queries, shape::rows);
    for (index_t j = 0; j < tokens; j += shape::tile) {
      index_t const count = tokens - j < shape::tile ? tokens - j : shape::tile;
      stage_transposed(block, head.key.middle_rows(j, count), count, keys, shape::tile + 1);
      block.barrier();
      multiply_staged(block, width, queries, keys, count, scores + j * shape::rows);
      block.barrier();
    }
    block.for_rows(at.count, [&](auto const& team, index_t r) {
      auto const score = [&](index_t j) -> T& { return scores[j * shape::rows + r]; };
      T const top = team.template max<T>(tokens, [&](index_t j) { return score(j); });
      T const sum = team.template sum<T>(tokens, [&](index_t j) {
        score(j) = branchless_exp((score(j) - top) * scale);
        return score(j);
      });
      T const inverse = T{1} / sum;
      team.barrier();
      team.for_each(tokens, [&](index_t j) { score(j) *= inverse; });
      index_t const row = at.own.first + at.begin + r;
      team.single(
          [&] { log_sums.data[row * log_sums.stride + at.head] = top * scale + std::log(sum); });
    });
    block.barrier();
    weigh_rows(
        block,
        scores,
        head.value,
        y.middle_rows(at.own.first + at.begin, at.count).middle_cols(at.head * width, width));
  }
};

/// What both backward functors read and write. Probabilities are computed again from the kept log
/// sums: p = exp(s scale - log_sum), ds = scale p (dp - delta), delta = the sum over keys of p dp.
template <class T, class O>
struct attention_gradient {
  attention_operands<O const> in;
  matrix_view<O const> y_grad;  // (query rows, D)
  index_t const* query_offsets;
  index_t const* key_offsets;
  index_t heads;
  T scale;
  matrix_view<T const> log_sums;  // (query rows, H)
  matrix_view<T> deltas;          // (query rows, H)
  attention_operands<O> grad;

  /// For chunks that meet at most so many rows of the other side.
  static constexpr index_t shared_values(index_t others, index_t width) {
    using shape = attention_chunk;
    return 2 * (shape::staged_chunk(width) + shape::staged_tile(width) + shape::scores(others));
  }

  /// What a block reads and writes: its head's slices of one image, and its shared arrays.
  struct block_slices {
    attention_operands<O const> head;
    attention_operands<O> grad;
    matrix_view<O const> out_grad;
  };
  struct block_views {
    block_slices slices;
    T* shared;
    T* scores;
    T* grads;
  };
  MAE_HOST_DEVICE block_views of_block(attention_item const& at,
                                       image_rows queries,
                                       image_rows keys,
                                       T* shared) const {
    using shape = attention_chunk;
    index_t const width = y_grad.cols / heads;
    T* const scores = shared + 2 * (shape::staged_chunk(width) + shape::staged_tile(width));
    return {{slice_head(in, queries, keys, at.head, width),
             slice_head(grad, queries, keys, at.head, width),
             y_grad.middle_rows(queries.first, queries.count).middle_cols(at.head * width, width)},
            shared,
            scores,
            scores + shape::scores(at.others.count)};
  }

  /// The products of a chunk's rows of `a` and `b` with all rows of `x` and `y`: scores(j, r) and
  /// grads(j, r).
  template <class Block>
  MAE_HOST_DEVICE void multiply(Block const& block,
                                attention_item const& at,
                                matrix_view<O const> a,
                                matrix_view<O const> b,
                                matrix_view<O const> x,
                                matrix_view<O const> y,
                                block_views const& mine) const {
    using shape = attention_chunk;
    index_t const width = a.cols;
    T* const a_chunk = mine.shared;
    T* const b_chunk = a_chunk + shape::staged_chunk(width);
    T* const x_tile = b_chunk + shape::staged_chunk(width);
    T* const y_tile = x_tile + shape::staged_tile(width);
    stage_transposed(block, a.middle_rows(at.begin, at.count), shape::rows, a_chunk, shape::rows);
    stage_transposed(block, b.middle_rows(at.begin, at.count), shape::rows, b_chunk, shape::rows);
    for (index_t j = 0; j < at.others.count; j += shape::tile) {
      index_t const count = at.others.count - j < shape::tile ? at.others.count - j : shape::tile;
      stage_transposed(block, x.middle_rows(j, count), count, x_tile, shape::tile + 1);
      stage_transposed(block, y.middle_rows(j, count), count, y_tile, shape::tile + 1);
      block.barrier();
      multiply_staged(block, width, a_chunk, x_tile, count, mine.scores + j * shape::rows);
      multiply_staged(block, width, b_chunk, y_tile, count, mine.grads + j * shape::rows);
      block.barrier();
    }
  }
};

/// A chunk of queries: their gradients, and their deltas for the keys' pass.
template <class T, class O>
struct attend_chunk_query_grad {
  attention_gradient<T, O> of;
  index_t chunks;  // of the most queries

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t number, T* shared) const {
    using shape = attention_chunk;
    attention_item const at(of.query_offsets, of.key_offsets, of.heads, chunks, number);
    if (at.count <= 0) return;
    index_t const tokens = at.others.count;
    auto const mine = of.of_block(at, at.own, at.others, shared);
    auto const& [head, grad, out_grad] = mine.slices;
    T* const scores = mine.scores;
    T* const grads = mine.grads;
    of.multiply(block, at, head.query, out_grad, head.key, head.value, mine);
    block.for_rows(at.count, [&](auto const& team, index_t r) {
      index_t const row = at.own.first + at.begin + r;
      T const log_sum = of.log_sums.data[row * of.log_sums.stride + at.head];
      auto const place = [&](index_t j) { return j * shape::rows + r; };
      T const delta = team.template sum<T>(tokens, [&](index_t j) {
        T const p = branchless_exp(scores[place(j)] * of.scale - log_sum);
        scores[place(j)] = p;
        return p * grads[place(j)];
      });
      team.barrier();
      team.for_each(tokens,
                    [&](index_t j) { scores[place(j)] *= of.scale * (grads[place(j)] - delta); });
      team.single([&] { of.deltas.data[row * of.deltas.stride + at.head] = delta; });
    });
    block.barrier();
    weigh_rows(block, scores, head.key, grad.query.middle_rows(at.begin, at.count));
  }
};

/// A chunk of keys and values: their gradients.
template <class T, class O>
struct attend_chunk_key_grad {
  attention_gradient<T, O> of;
  index_t chunks;  // of the most keys

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t number, T* shared) const {
    using shape = attention_chunk;
    attention_item const at(of.key_offsets, of.query_offsets, of.heads, chunks, number);
    if (at.count <= 0) return;
    auto const mine = of.of_block(at, at.others, at.own, shared);
    auto const& [head, grad, out_grad] = mine.slices;
    T* const scores = mine.scores;
    T* const grads = mine.grads;
    of.multiply(block, at, head.key, head.value, head.query, out_grad, mine);
    block.for_each(at.others.count * shape::rows, [&](index_t i) {
      index_t const row = at.others.first + i / shape::rows;
      T const log_sum = of.log_sums.data[row * of.log_sums.stride + at.head];
      T const delta = of.deltas.data[row * of.deltas.stride + at.head];
      T const p = branchless_exp(scores[i] * of.scale - log_sum);
      scores[i] = p;
      grads[i] = of.scale * p * (grads[i] - delta);
    });
    block.barrier();
    weigh_rows(block, scores, out_grad, grad.value.middle_rows(at.begin, at.count));
    weigh_rows(block, grads, head.query, grad.key.middle_rows(at.begin, at.count));
  }
};

}  // namespace kernel

}  // namespace MAE_ISA
}  // namespace mae
