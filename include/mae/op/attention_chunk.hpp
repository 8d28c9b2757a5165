#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/head_slices.hpp>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// Attention by blocks: each takes a chunk of one image's rows for one head, and holds the scores
/// of these rows with all that they attend to, or are attended by, in shared memory. In every
/// shared array a chunk's rows stand side by side, so that a thread works on four of them at once.
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

/// Which chunk of which image and head a block works on: rows of one side, queries or keys, and all
/// rows of the other.
struct attention_item {
  image_rows own{};     // the image's rows of the chunk's side
  image_rows others{};  // and of the other side
  index_t head;
  index_t begin;  // of the chunk, within the image
  index_t count;  // rows of the chunk, none where the image has fewer chunks than the longest

  MAE_HOST_DEVICE attention_item(index_t const* own_offsets,
                                 index_t const* other_offsets,
                                 index_t heads,
                                 index_t chunks,
                                 index_t number)
      : head(number / chunks % heads), begin(number % chunks * attention_chunk::rows) {
    index_t const image = number / chunks / heads;
    own = {own_offsets[image], own_offsets[image + 1] - own_offsets[image]};
    others = {other_offsets[image], other_offsets[image + 1] - other_offsets[image]};
    index_t const left = own.count - begin;
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

/// y(r, c) = the sum over j of weights(j, r) * x(j, c), for the chunk's rows r < y.rows: by a
/// thread of a GPU for one column at once, by a core for several.
template <class Block, class O, class T>
MAE_HOST_DEVICE void weigh_rows(Block const& block,
                                T const* weights,
                                matrix_view<O const> x,
                                matrix_view<O> y) {
  using shape = attention_chunk;
  if constexpr (Block::is_core) {
    constexpr index_t several = 32;
    for (index_t r = 0; r < y.rows; r += shape::group) {
      auto const rows = y.middle_rows(r, y.rows - r);
      index_t c = 0;
      for (; c + several <= y.cols; c += several)
        weigh_columns<several>(
            weights + r, x.middle_cols(c, several), rows.middle_cols(c, several));
      for (; c < y.cols; ++c)
        weigh_columns<1>(weights + r, x.middle_cols(c, 1), rows.middle_cols(c, 1));
    }
  } else {
    block.for_each(ceil_div(y.rows, shape::group) * y.cols, [&](index_t i) {
      index_t const c = i % y.cols;
      index_t const r = i / y.cols * shape::group;
      weigh_columns<1>(
          weights + r, x.middle_cols(c, 1), y.middle_rows(r, y.rows - r).middle_cols(c, 1));
    });
  }
}

}  // namespace kernel

}  // namespace MAE_ISA
}  // namespace mae
