#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/head_slices.hpp>
#include <mae/op/linear.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// Rows of scores are whole cache lines, so that no loop over one ends with a part of a register.
template <class T>
inline constexpr index_t line_values = static_cast<index_t>(buffer_alignment / sizeof(T));

/// Makes the exponential of what a row of `count` scores has beyond its `tokens`, less than a line,
/// as good as zero.
template <class Block, class T>
MAE_HOST_DEVICE void exclude_beyond(Block const& block, index_t tokens, T* row, index_t count) {
  T* const last = row + count - line_values<T>;
  index_t const kept = tokens - (count - line_values<T>);
  block.for_each(line_values<T>, [&](index_t i) {
    last[i] = i < kept ? last[i] : std::numeric_limits<T>::lowest();
  });
  block.barrier();
}

/// Scores become probabilities; the log of the row's sum of exponentials is kept, since with it the
/// backward pass rebuilds the row without a second reduction.
template <class T, class O>
struct softmax_row {
  index_t tokens;
  matrix_view<T> scores;         // (tokens, whole lines)
  matrix_view<O> probabilities;  // (tokens, whole steps of depth): zero beyond
  T scale;
  T* log_sums;
  index_t log_sum_stride;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const s = scores.data + row * scores.stride;
    O* __restrict const p = probabilities.data + row * probabilities.stride;
    exclude_beyond(block, tokens, s, scores.cols);
    T const top = block.template max<T>(scores.cols, [&](index_t i) { return s[i]; });
    block.for_each(scores.cols, [&](index_t i) { s[i] = branchless_exp((s[i] - top) * scale); });
    block.barrier();
    T const sum = block.template sum<T>(scores.cols, [&](index_t i) { return s[i]; });
    T const inverse = T{1} / sum;
    store_by_block(block, scores.cols, p, [&](index_t i) { return s[i] * inverse; });
    block.barrier();
    for (index_t i = tokens; i < probabilities.cols; ++i) p[i] = O{};
    log_sums[row * log_sum_stride] = top * scale + std::log(sum);
  }
};

/// Scores become probabilities by the kept log sums; the probabilities' gradients become the
/// scores': ds = scale * p * (dp - sum(p * dp)).
template <class T, class O>
struct softmax_row_grad {
  index_t tokens;
  matrix_view<T> scores;                    // (tokens, whole lines)
  matrix_view<T const> probabilities_grad;  // likewise
  matrix_view<O> probabilities;             // (tokens, whole steps of depth): zero beyond
  matrix_view<O> scores_grad;               // likewise
  T scale;
  T const* log_sums;
  index_t log_sum_stride;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const s = scores.data + row * scores.stride;
    T const* const dp = probabilities_grad.data + row * probabilities_grad.stride;
    O* __restrict const p = probabilities.data + row * probabilities.stride;
    O* __restrict const ds = scores_grad.data + row * scores_grad.stride;
    T const log_sum = log_sums[row * log_sum_stride];
    exclude_beyond(block, tokens, s, scores.cols);
    block.for_each(scores.cols, [&](index_t i) { s[i] = branchless_exp(s[i] * scale - log_sum); });
    block.barrier();
    T const dot = block.template sum<T>(scores.cols, [&](index_t i) { return s[i] * dp[i]; });
    round_by_block(block, scores.cols, s, p);
    store_by_block(block, scores.cols, ds, [&](index_t i) { return scale * s[i] * (dp[i] - dot); });
    block.barrier();
    for (index_t i = tokens; i < probabilities.cols; ++i) p[i] = ds[i] = O{};
  }
};

/// The memory of one head of one image, cut from a flat array. Rows lie whole lines apart.
template <Lane L>
class attention_scratch {
  using T = typename L::scalar;
  using O = typename L::operand;
  using cell = typename L::cell;

 public:
  static constexpr index_t size(index_t tokens, index_t head_width) {
    return 4 * square(tokens) + 2 * packed_size(tokens, head_width);
  }

  attention_scratch(std::span<T> memory, index_t tokens, index_t head_width)
      : memory_(memory.data()), tokens_(tokens), head_width_(head_width) {
    assert(static_cast<index_t>(memory.size()) >= size(tokens, head_width));
  }

  matrix_view<T> scores() const { return {at(0), tokens_, lines(tokens_)}; }
  matrix_view<T> probabilities_grad() const { return {at(1), tokens_, lines(tokens_)}; }
  matrix_view<O> probabilities() const { return operands(2); }
  matrix_view<O> scores_grad() const { return operands(3); }

  /// The keys, or the values, as right operands whose columns are the tokens; beyond these, up to
  /// whole lines, they are zero.
  auto pack_keys(matrix_view<O const> keys, L const& lane) const {
    return pack_columns(keys, first(), lane);
  }
  auto pack_values(matrix_view<O const> values, L const& lane) const {
    return pack_columns(values, second(), lane);
  }
  /// Memory for right operands whose depth is the tokens.
  cell* first() const { return memory_as<cell>(at(4)); }
  cell* second() const { return memory_as<cell>(at(4) + packed_size(tokens_, head_width_)); }

 private:
  static_assert(sizeof(cell) == sizeof(T) && sizeof(O) <= sizeof(T));

  auto pack_columns(matrix_view<O const> columns, cell* cells, L const& lane) const {
    lane.pack_transposed(columns, cells);
    std::fill(cells + L::packed_cells(head_width_, tokens_),
              cells + L::packed_cells(head_width_, lines(tokens_)),
              cell{});  // panels narrower than a line
    return lane.packed_at(cells, head_width_, lines(tokens_));
  }

  static constexpr index_t lines(index_t tokens) { return round_up(tokens, line_values<T>); }
  static constexpr index_t square(index_t tokens) { return tokens * lines(tokens); }
  static constexpr index_t packed_size(index_t tokens, index_t head_width) {
    return std::max(L::packed_cells(tokens, head_width),
                    L::packed_cells(head_width, lines(tokens)));
  }
  T* at(index_t part) const { return memory_ + part * square(tokens_); }
  /// Tokens in whole steps of a product's depth, so that a row is read without a copy.
  matrix_view<O> operands(index_t part) const {
    index_t const depth = round_up(tokens_, L::depth_step);
    return {memory_as<O>(at(part)), tokens_, depth, std::max(depth, lines(tokens_))};
  }

  T* memory_;
  index_t tokens_;
  index_t head_width_;
};

/// body(lane, first row, tokens, head, memory) for every head of every image; each by one member of
/// the lane, in memory of its own.
template <Lane L, class Body>
void for_heads(row_offsets offsets,
               index_t heads,
               index_t head_width,
               L const& lane,
               std::span<scalar_of<L>> scratch,
               Body const& body) {
  auto const begins = offsets.values();
  auto const size =
      static_cast<std::size_t>(attention_scratch<L>::size(offsets.longest(), head_width));
  lane.for_parts(offsets.images() * heads, [&](L const& mine, index_t part, int member) {
    auto const image = static_cast<std::size_t>(part / heads);
    index_t const first = begins[image];
    index_t const tokens = begins[image + 1] - first;
    attention_scratch<L> const memory(
        scratch.subspan(static_cast<std::size_t>(member) * size, size), tokens, head_width);
    body(mine, first, tokens, part % heads, memory);
  });
}

/// Attention as products of each image and head.
template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attend_by_products(L const& lane,
                        matrix_view<operand_of<L> const> qkv,
                        row_offsets offsets,
                        index_t heads,
                        matrix_view<operand_of<L>> y,
                        matrix_view<scalar_of<L>> log_sums,
                        std::span<scalar_of<L>> scratch) {
  index_t const head_width = y.cols / heads;
  T const scale = attention_scale<T>(head_width);
  for_heads(
      offsets,
      heads,
      head_width,
      lane,
      scratch,
      [&](L const& mine, index_t first, index_t tokens, index_t h, auto const& memory) {
        auto const head = slice_head<O const>(qkv, first, tokens, h, head_width);
        mine.multiply(
            head.query, memory.pack_keys(head.key, mine), store_product<T, T>{memory.scores()});
        mine.for_rows(tokens,
                      softmax_row<T, O>{tokens,
                                        memory.scores(),
                                        memory.probabilities(),
                                        scale,
                                        &log_sums(first, h),
                                        log_sums.stride});
        mine.multiply(memory.probabilities(),
                      mine.pack(head.value, memory.second()),
                      store_product<T, O>{
                          y.middle_rows(first, tokens).middle_cols(h * head_width, head_width)});
      });
}

template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attend_by_products_backward(L const& lane,
                                 matrix_view<operand_of<L> const> qkv,
                                 row_offsets offsets,
                                 index_t heads,
                                 matrix_view<scalar_of<L> const> log_sums,
                                 matrix_view<operand_of<L> const> y_grad,
                                 matrix_view<operand_of<L>> qkv_grad,
                                 std::span<scalar_of<L>> scratch) {
  index_t const head_width = y_grad.cols / heads;
  T const scale = attention_scale<T>(head_width);
  for_heads(offsets,
            heads,
            head_width,
            lane,
            scratch,
            [&](L const& mine, index_t first, index_t tokens, index_t h, auto const& memory) {
              auto const head = slice_head<O const>(qkv, first, tokens, h, head_width);
              auto const grad = slice_head<O>(qkv_grad, first, tokens, h, head_width);
              matrix_view<O const> const out_grad =
                  y_grad.middle_rows(first, tokens).middle_cols(h * head_width, head_width);
              mine.multiply(head.query,
                            memory.pack_keys(head.key, mine),
                            store_product<T, T>{memory.scores()});
              mine.multiply(out_grad,
                            memory.pack_values(head.value, mine),
                            store_product<T, T>{memory.probabilities_grad()});
              mine.for_rows(tokens,
                            softmax_row_grad<T, O>{tokens,
                                                   memory.scores(),
                                                   memory.probabilities_grad(),
                                                   memory.probabilities(),
                                                   memory.scores_grad(),
                                                   scale,
                                                   &log_sums(first, h),
                                                   log_sums.stride});
              auto const probabilities = memory.probabilities().middle_cols(0, tokens);
              auto const scores_grad = memory.scores_grad().middle_cols(0, tokens);
              mine.multiply_transposed(probabilities, out_grad, store_product<T, O>{grad.value});
              mine.multiply(memory.scores_grad(),
                            mine.pack(head.key, memory.first()),
                            store_product<T, O>{grad.query});
              mine.multiply_transposed(scores_grad, head.query, store_product<T, O>{grad.key});
            });
}

}  // namespace kernel

}  // namespace MAE_ISA
}  // namespace mae
