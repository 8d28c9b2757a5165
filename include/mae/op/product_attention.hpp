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
  matrix_view<T> scores;         // (queries, whole lines)
  matrix_view<O> probabilities;  // (queries, whole steps of depth): zero beyond
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
  matrix_view<T> scores;                    // (queries, whole lines)
  matrix_view<T const> probabilities_grad;  // likewise
  matrix_view<O> probabilities;             // (queries, whole steps of depth): zero beyond
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
  static constexpr index_t size(index_t queries, index_t keys, index_t head_width) {
    return 4 * queries * lines(keys) + 2 * packed_size(keys, head_width);
  }

  attention_scratch(std::span<T> memory, index_t queries, index_t keys, index_t head_width)
      : memory_(memory.data()), queries_(queries), keys_(keys), head_width_(head_width) {
    assert(static_cast<index_t>(memory.size()) >= size(queries, keys, head_width));
  }

  matrix_view<T> scores() const { return {at(0), queries_, lines(keys_)}; }
  matrix_view<T> probabilities_grad() const { return {at(1), queries_, lines(keys_)}; }
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
  cell* second() const { return memory_as<cell>(at(4) + packed_size(keys_, head_width_)); }

 private:
  static_assert(sizeof(cell) == sizeof(T) && sizeof(O) <= sizeof(T));

  auto pack_columns(matrix_view<O const> columns, cell* cells, L const& lane) const {
    lane.pack_transposed(columns, cells);
    std::fill(cells + L::packed_cells(head_width_, keys_),
              cells + L::packed_cells(head_width_, lines(keys_)),
              cell{});  // panels narrower than a line
    return lane.packed_at(cells, head_width_, lines(keys_));
  }

  static constexpr index_t lines(index_t tokens) { return round_up(tokens, line_values<T>); }
  static constexpr index_t packed_size(index_t keys, index_t head_width) {
    return std::max(L::packed_cells(keys, head_width), L::packed_cells(head_width, lines(keys)));
  }
  T* at(index_t part) const { return memory_ + part * queries_ * lines(keys_); }
  /// Keys in whole steps of a product's depth, so that a row is read without a copy.
  matrix_view<O> operands(index_t part) const {
    index_t const depth = round_up(keys_, L::depth_step);
    return {memory_as<O>(at(part)), queries_, depth, std::max(depth, lines(keys_))};
  }

  T* memory_;
  index_t queries_;
  index_t keys_;
  index_t head_width_;
};

/// A head of an image.
struct attention_part {
  image_rows queries;
  image_rows keys;
  index_t head;
};

/// body(lane, part, memory) for every head of every image; each by one member of the lane, in
/// memory of its own.
template <Lane L, class Body>
void for_heads(attention_rows const& rows,
               index_t heads,
               index_t head_width,
               L const& lane,
               std::span<scalar_of<L>> scratch,
               Body const& body) {
  auto const size = static_cast<std::size_t>(
      attention_scratch<L>::size(rows.queries.longest(), rows.keys.longest(), head_width));
  auto const of_image = [](row_offsets const& offsets, std::size_t image) {
    auto const begins = offsets.values();
    return image_rows{begins[image], begins[image + 1] - begins[image]};
  };
  lane.for_parts(rows.queries.images() * heads, [&](L const& mine, index_t number, int member) {
    auto const image = static_cast<std::size_t>(number / heads);
    attention_part const part{
        of_image(rows.queries, image), of_image(rows.keys, image), number % heads};
    attention_scratch<L> const memory(
        scratch.subspan(static_cast<std::size_t>(member) * size, size),
        part.queries.count,
        part.keys.count,
        head_width);
    body(mine, part, memory);
  });
}

/// Attention as products of each image and head.
template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attend_by_products(L const& lane,
                        attention_operands<operand_of<L> const> const& in,
                        attention_rows const& rows,
                        index_t heads,
                        matrix_view<operand_of<L>> y,
                        matrix_view<scalar_of<L>> log_sums,
                        std::span<scalar_of<L>> scratch) {
  index_t const head_width = y.cols / heads;
  T const scale = attention_scale<T>(head_width);
  for_heads(
      rows, heads, head_width, lane, scratch, [&](L const& mine, auto of, auto const& memory) {
        auto const [first, queries] = of.queries;
        if (queries == 0) return;
        auto const head = slice_head<O const>(in, of.queries, of.keys, of.head, head_width);
        mine.multiply(
            head.query, memory.pack_keys(head.key, mine), store_product<T, T>{memory.scores()});
        mine.for_rows(queries,
                      softmax_row<T, O>{of.keys.count,
                                        memory.scores(),
                                        memory.probabilities(),
                                        scale,
                                        &log_sums(first, of.head),
                                        log_sums.stride});
        mine.multiply(
            memory.probabilities(),
            mine.pack(head.value, memory.second()),
            store_product<T, O>{
                y.middle_rows(first, queries).middle_cols(of.head * head_width, head_width)});
      });
}

/// Keys that nobody asks have no gradient.
template <class O>
void clear_rows(matrix_view<O> rows) {
  for (index_t row = 0; row < rows.rows; ++row)
    std::fill_n(rows.data + row * rows.stride, rows.cols, O{});
}

template <Lane L, class T = scalar_of<L>, class O = operand_of<L>>
void attend_by_products_backward(L const& lane,
                                 attention_operands<operand_of<L> const> const& in,
                                 attention_rows const& rows,
                                 index_t heads,
                                 matrix_view<scalar_of<L> const> log_sums,
                                 matrix_view<operand_of<L> const> y_grad,
                                 attention_operands<operand_of<L>> const& in_grad,
                                 std::span<scalar_of<L>> scratch) {
  index_t const head_width = y_grad.cols / heads;
  T const scale = attention_scale<T>(head_width);
  for_heads(
      rows, heads, head_width, lane, scratch, [&](L const& mine, auto of, auto const& memory) {
        auto const [first, queries] = of.queries;
        auto const head = slice_head<O const>(in, of.queries, of.keys, of.head, head_width);
        auto const grad = slice_head<O>(in_grad, of.queries, of.keys, of.head, head_width);
        if (queries == 0) {
          clear_rows(grad.key);
          clear_rows(grad.value);
          return;
        }
        matrix_view<O const> const out_grad =
            y_grad.middle_rows(first, queries).middle_cols(of.head * head_width, head_width);
        mine.multiply(
            head.query, memory.pack_keys(head.key, mine), store_product<T, T>{memory.scores()});
        mine.multiply(out_grad,
                      memory.pack_values(head.value, mine),
                      store_product<T, T>{memory.probabilities_grad()});
        mine.for_rows(queries,
                      softmax_row_grad<T, O>{of.keys.count,
                                             memory.scores(),
                                             memory.probabilities_grad(),
                                             memory.probabilities(),
                                             memory.scores_grad(),
                                             scale,
                                             &log_sums(first, of.head),
                                             log_sums.stride});
        auto const probabilities = memory.probabilities().middle_cols(0, of.keys.count);
        auto const scores_grad = memory.scores_grad().middle_cols(0, of.keys.count);
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
