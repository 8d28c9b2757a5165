#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/head_slices.hpp>

#include <cmath>
#include <cstring>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// Attention by blocks: each takes a chunk of one image's rows for one head, and holds the scores
/// of these rows with all rows of the image in shared memory. In every shared array a chunk's rows
/// stand side by side, so that a thread works on four of them at once.
struct attention_chunk {
  static constexpr index_t rows = 20;
  static constexpr index_t group = 4;  // rows that one thread of a GPU multiplies
  static constexpr index_t tile = 32;  // rows of the image that are staged at once

  /// The shared scalars that a chunk and a tile of rows of `width` take up, transposed, and the
  /// scores of a chunk with `tokens` rows.
  MAE_HOST_DEVICE static constexpr index_t staged_chunk(index_t width) { return width * rows; }
  MAE_HOST_DEVICE static constexpr index_t staged_tile(index_t width) {
    return round_up(width * (tile + 1), group);
  }
  MAE_HOST_DEVICE static constexpr index_t scores(index_t tokens) { return tokens * rows; }
};

/// Which chunk of which image and head a block works on.
struct attention_item {
  index_t first;   // the image's first row
  index_t tokens;  // its rows
  index_t head;
  index_t begin;  // of the chunk, within the image
  index_t count;  // rows of the chunk, none where the image has fewer chunks than the longest

  MAE_HOST_DEVICE attention_item(index_t const* offsets,
                                 index_t heads,
                                 index_t chunks,
                                 index_t number)
      : head(number / chunks % heads), begin(number % chunks * attention_chunk::rows) {
    index_t const image = number / chunks / heads;
    first = offsets[image];
    tokens = offsets[image + 1] - first;
    index_t const left = tokens - begin;
    count = left < attention_chunk::rows ? left : attention_chunk::rows;
  }
};

/// staged(c, r) = x(r, c), with `stride` from one c to the next; zero for rows that x has not.
template <class Block, class O, class T>
MAE_HOST_DEVICE void stage_transposed(
    Block const& block, matrix_view<O const> x, index_t rows, T* staged, index_t stride) {
  auto const stage = [&](index_t row, index_t col) {
    staged[col * stride + row] = row < x.rows ? static_cast<T>(x.data[row * x.stride + col]) : T{0};
  };
  if constexpr (Block::is_core) {
    for (index_t row = 0; row < rows; ++row)
      for (index_t col = 0; col < x.cols; ++col) stage(row, col);
  } else {
    block.for_each(rows * x.cols, [&](index_t i) {
      index_t const row = i / x.cols;
      stage(row, i - row * x.cols);
    });
  }
}

/// products(j, r) = the sum over c of chunk(c, r) * tile(c, j), for `J` of a tile's rows j and `R`
/// of a chunk's rows r.
template <index_t J, index_t R, class T>
MAE_HOST_DEVICE void multiply_staged_rows(index_t width,
                                          T const* chunk,
                                          T const* tile,
                                          T* products) {
  using shape = attention_chunk;
  T sums[J][R] = {};  // NOLINT(*-avoid-c-arrays): registers
  for (index_t c = 0; c < width; ++c, chunk += shape::rows, tile += shape::tile + 1)
    for (index_t j = 0; j < J; ++j)
      for (index_t r = 0; r < R; ++r) sums[j][r] += chunk[r] * tile[j];
  for (index_t j = 0; j < J; ++j)
    for (index_t r = 0; r < R; ++r) products[j * shape::rows + r] = sums[j][r];
}

/// products(j, r) = the sum over c of chunk(c, r) * tile(c, j), for a tile's `count` rows j. A
/// thread of a GPU multiplies a few rows of the chunk; a core all of them, for several j.
template <class Block, class T>
MAE_HOST_DEVICE void multiply_staged(
    Block const& block, index_t width, T const* chunk, T const* tile, index_t count, T* products) {
  using shape = attention_chunk;
  if constexpr (Block::is_core) {
    constexpr index_t several = 4;
    index_t j = 0;
    for (; j + several <= count; j += several)
      multiply_staged_rows<several, shape::rows>(
          width, chunk, tile + j, products + j * shape::rows);
    for (; j < count; ++j)
      multiply_staged_rows<1, shape::rows>(width, chunk, tile + j, products + j * shape::rows);
  } else {
    block.for_each(shape::rows / shape::group * count, [&](index_t i) {
      index_t const j = i % count;
      index_t const r = i / count * shape::group;
      multiply_staged_rows<1, shape::group>(
          width, chunk + r, tile + j, products + j * shape::rows + r);
    });
  }
}

/// y(r, c) = the sum over j of weights(j, r) * x(j, c), for at most shape::group rows r and `C`
/// columns c.
template <index_t C, class O, class T>
MAE_HOST_DEVICE void weigh_columns(T const* weights, matrix_view<O const> x, matrix_view<O> y) {
  using shape = attention_chunk;
  T sums[shape::group][C] = {};  // NOLINT(*-avoid-c-arrays): registers
  O const* value = x.data;
  for (index_t j = 0; j < x.rows; ++j, weights += shape::rows, value += x.stride)
    for (index_t r = 0; r < shape::group; ++r)
      for (index_t c = 0; c < C; ++c) sums[r][c] += weights[r] * static_cast<T>(value[c]);
  for (index_t r = 0; r < shape::group && r < y.rows; ++r)
    for (index_t c = 0; c < C; ++c) y.data[r * y.stride + c] = static_cast<O>(sums[r][c]);
}

/// y(r, c) = the sum over j of weights(j, r) * x(j, c), for the chunk's rows r < y.rows.
template <class Block, class O, class T>
MAE_HOST_DEVICE void weigh_rows(Block const& block,
                                T const* weights,
                                matrix_view<O const> x,
                                matrix_view<O> y) {
  using shape = attention_chunk;
  constexpr index_t several = Block::is_core ? 32 : 1;  // columns
  index_t const wide = y.cols / several;
  index_t const pieces = wide + y.cols % several;  // the last columns one by one
  block.for_each(ceil_div(y.rows, shape::group) * pieces, [&](index_t i) {
    index_t const piece = i % pieces;
    index_t const r = i / pieces * shape::group;
    auto const rows = y.middle_rows(r, y.rows - r);
    if (piece < wide) {
      index_t const c = piece * several;
      weigh_columns<several>(weights + r, x.middle_cols(c, several), rows.middle_cols(c, several));
    } else {
      index_t const c = wide * several + piece - wide;
      weigh_columns<1>(weights + r, x.middle_cols(c, 1), rows.middle_cols(c, 1));
    }
  });
}

/// The forward pass of a chunk of queries.
template <class T, class O>
struct attend_chunk {
  matrix_view<O const> qkv;  // (rows, 3 D)
  index_t const* offsets;
  index_t heads;
  index_t chunks;  // of the longest image
  T scale;
  matrix_view<O> y;         // (rows, D)
  matrix_view<T> log_sums;  // (rows, H)

  static constexpr index_t shared_values(index_t tokens, index_t width) {
    using shape = attention_chunk;
    return shape::staged_chunk(width) + shape::staged_tile(width) + shape::scores(tokens);
  }

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t number, T* shared) const {
    using shape = attention_chunk;
    attention_item const at(offsets, heads, chunks, number);
    if (at.count <= 0) return;
    index_t const width = y.cols / heads;
    auto const head = slice_head(qkv, at.first, at.tokens, at.head, width);
    T* const queries = shared;
    T* const keys = queries + shape::staged_chunk(width);
    T* const scores = keys + shape::staged_tile(width);

    stage_transposed(
        block, head.query.middle_rows(at.begin, at.count), shape::rows, queries, shape::rows);
    for (index_t j = 0; j < at.tokens; j += shape::tile) {
      index_t const count = at.tokens - j < shape::tile ? at.tokens - j : shape::tile;
      stage_transposed(block, head.key.middle_rows(j, count), count, keys, shape::tile + 1);
      block.barrier();
      multiply_staged(block, width, queries, keys, count, scores + j * shape::rows);
      block.barrier();
    }
    block.for_rows(at.count, [&](auto const& team, index_t r) {
      auto const score = [&](index_t j) -> T& { return scores[j * shape::rows + r]; };
      T const top = team.template max<T>(at.tokens, [&](index_t j) { return score(j); });
      T const sum = team.template sum<T>(at.tokens, [&](index_t j) {
        score(j) = branchless_exp((score(j) - top) * scale);
        return score(j);
      });
      T const inverse = T{1} / sum;
      team.barrier();
      team.for_each(at.tokens, [&](index_t j) { score(j) *= inverse; });
      index_t const row = at.first + at.begin + r;
      team.single(
          [&] { log_sums.data[row * log_sums.stride + at.head] = top * scale + std::log(sum); });
    });
    block.barrier();
    weigh_rows(block,
               scores,
               head.value,
               y.middle_rows(at.first + at.begin, at.count).middle_cols(at.head * width, width));
  }
};

/// What both backward functors read and write. Probabilities are computed again from the kept log
/// sums: p = exp(s scale - log_sum), ds = scale p (dp - delta), delta = the sum over keys of p dp.
template <class T, class O>
struct attention_gradient {
  matrix_view<O const> qkv;     // (rows, 3 D)
  matrix_view<O const> y_grad;  // (rows, D)
  index_t const* offsets;
  index_t heads;
  index_t chunks;
  T scale;
  matrix_view<T const> log_sums;  // (rows, H)
  matrix_view<T> deltas;          // (rows, H)
  matrix_view<O> qkv_grad;        // (rows, 3 D)

  static constexpr index_t shared_values(index_t tokens, index_t width) {
    using shape = attention_chunk;
    return 2 * (shape::staged_chunk(width) + shape::staged_tile(width) + shape::scores(tokens));
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
                                T* shared,
                                T* scores,
                                T* grads) const {
    using shape = attention_chunk;
    index_t const width = a.cols;
    T* const a_chunk = shared;
    T* const b_chunk = a_chunk + shape::staged_chunk(width);
    T* const x_tile = b_chunk + shape::staged_chunk(width);
    T* const y_tile = x_tile + shape::staged_tile(width);
    stage_transposed(block, a.middle_rows(at.begin, at.count), shape::rows, a_chunk, shape::rows);
    stage_transposed(block, b.middle_rows(at.begin, at.count), shape::rows, b_chunk, shape::rows);
    for (index_t j = 0; j < at.tokens; j += shape::tile) {
      index_t const count = at.tokens - j < shape::tile ? at.tokens - j : shape::tile;
      stage_transposed(block, x.middle_rows(j, count), count, x_tile, shape::tile + 1);
      stage_transposed(block, y.middle_rows(j, count), count, y_tile, shape::tile + 1);
      block.barrier();
      multiply_staged(block, width, a_chunk, x_tile, count, scores + j * shape::rows);
      multiply_staged(block, width, b_chunk, y_tile, count, grads + j * shape::rows);
      block.barrier();
    }
  }
};

/// A chunk of queries: their gradients, and their deltas for the keys' pass.
template <class T, class O>
struct attend_chunk_query_grad {
  attention_gradient<T, O> of;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t number, T* shared) const {
    using shape = attention_chunk;
    attention_item const at(of.offsets, of.heads, of.chunks, number);
    if (at.count <= 0) return;
    index_t const width = of.y_grad.cols / of.heads;
    auto const head = slice_head(of.qkv, at.first, at.tokens, at.head, width);
    auto const grad = slice_head(of.qkv_grad, at.first, at.tokens, at.head, width);
    auto const out_grad =
        of.y_grad.middle_rows(at.first, at.tokens).middle_cols(at.head * width, width);
    T* const scores = shared + 2 * (shape::staged_chunk(width) + shape::staged_tile(width));
    T* const grads = scores + shape::scores(at.tokens);

    of.multiply(block, at, head.query, out_grad, head.key, head.value, shared, scores, grads);
    block.for_rows(at.count, [&](auto const& team, index_t r) {
      index_t const row = at.first + at.begin + r;
      T const log_sum = of.log_sums.data[row * of.log_sums.stride + at.head];
      auto const place = [&](index_t j) { return j * shape::rows + r; };
      T const delta = team.template sum<T>(at.tokens, [&](index_t j) {
        T const p = branchless_exp(scores[place(j)] * of.scale - log_sum);
        scores[place(j)] = p;
        return p * grads[place(j)];
      });
      team.barrier();
      team.for_each(at.tokens,
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

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t number, T* shared) const {
    using shape = attention_chunk;
    attention_item const at(of.offsets, of.heads, of.chunks, number);
    if (at.count <= 0) return;
    index_t const width = of.y_grad.cols / of.heads;
    auto const head = slice_head(of.qkv, at.first, at.tokens, at.head, width);
    auto const grad = slice_head(of.qkv_grad, at.first, at.tokens, at.head, width);
    auto const out_grad =
        of.y_grad.middle_rows(at.first, at.tokens).middle_cols(at.head * width, width);
    T* const scores = shared + 2 * (shape::staged_chunk(width) + shape::staged_tile(width));
    T* const grads = scores + shape::scores(at.tokens);

    of.multiply(block, at, head.key, head.value, head.query, out_grad, shared, scores, grads);
    block.for_each(at.tokens * shape::rows, [&](index_t i) {
      index_t const row = at.first + i / shape::rows;
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
