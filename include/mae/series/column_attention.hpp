#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/head_slices.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/product_attention.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// Scores become probabilities in place.
template <class T>
struct softmax_in_place {
  index_t tokens;
  matrix_view<T> scores;  // (rows, whole lines)
  T scale;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const s = scores.data + row * scores.stride;
    exclude_beyond(block, tokens, s, scores.cols);
    T const top = block.template max<T>(scores.cols, [&](index_t i) { return s[i]; });
    block.for_each(scores.cols, [&](index_t i) { s[i] = branchless_exp((s[i] - top) * scale); });
    T const inverse = T{1} / block.template sum<T>(scores.cols, [&](index_t i) { return s[i]; });
    block.for_each(scores.cols, [&](index_t i) { s[i] *= inverse; });
  }
};

/// Likewise of rows whose scores stand in two places.
template <class T>
struct softmax_of_two {
  index_t first_tokens;
  matrix_view<T> first;  // (rows, whole lines)
  index_t second_tokens;
  matrix_view<T> second;  // likewise
  T scale;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const a = first.data + row * first.stride;
    T* const b = second.data + row * second.stride;
    exclude_beyond(block, first_tokens, a, first.cols);
    exclude_beyond(block, second_tokens, b, second.cols);
    T const top_a = block.template max<T>(first.cols, [&](index_t i) { return a[i]; });
    T const top_b = block.template max<T>(second.cols, [&](index_t i) { return b[i]; });
    T const top = top_a < top_b ? top_b : top_a;
    block.for_each(first.cols, [&](index_t i) { a[i] = branchless_exp((a[i] - top) * scale); });
    block.for_each(second.cols, [&](index_t i) { b[i] = branchless_exp((b[i] - top) * scale); });
    T const inverse = T{1} / (block.template sum<T>(first.cols, [&](index_t i) { return a[i]; }) +
                              block.template sum<T>(second.cols, [&](index_t i) { return b[i]; }));
    block.for_each(first.cols, [&](index_t i) { a[i] *= inverse; });
    block.for_each(second.cols, [&](index_t i) { b[i] *= inverse; });
  }
};

/// What queries attend to of some tokens that stay the same: exponentials below `top`.
template <class T>
struct attended_before {
  matrix_view<T> sums;  // (rows, D / H): of exponentials times values
  T* tops;              // (rows): the largest score
  T* totals;            // (rows): the sums of exponentials
};

/// Scores become exponentials below their largest, which is kept with their sum.
template <class T>
struct exponentials_row {
  index_t tokens;
  matrix_view<T> scores;  // (rows, whole lines)
  T scale;
  attended_before<T> before;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const s = scores.data + row * scores.stride;
    exclude_beyond(block, tokens, s, scores.cols);
    T const top = block.template max<T>(scores.cols, [&](index_t i) { return s[i]; });
    block.for_each(scores.cols, [&](index_t i) { s[i] = branchless_exp((s[i] - top) * scale); });
    before.tops[row] = top;
    before.totals[row] = block.template sum<T>(scores.cols, [&](index_t i) { return s[i]; });
  }
};

/// The softmax over further tokens and those before: their probabilities in place, and in y what
/// those before give.
template <class T>
struct softmax_after {
  index_t tokens;
  matrix_view<T> scores;  // (rows, whole lines)
  T scale;
  attended_before<T> before;
  matrix_view<T> y;  // (rows, D / H)

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T* const s = scores.data + row * scores.stride;
    exclude_beyond(block, tokens, s, scores.cols);
    T const own = block.template max<T>(scores.cols, [&](index_t i) { return s[i]; });
    T const top = own < before.tops[row] ? before.tops[row] : own;
    block.for_each(scores.cols, [&](index_t i) { s[i] = branchless_exp((s[i] - top) * scale); });
    T const share = branchless_exp((before.tops[row] - top) * scale);
    T const inverse = T{1} / (block.template sum<T>(scores.cols, [&](index_t i) { return s[i]; }) +
                              share * before.totals[row]);
    block.for_each(scores.cols, [&](index_t i) { s[i] *= inverse; });
    T const* const from = before.sums.data + row * before.sums.stride;
    T* const to = y.data + row * y.stride;
    T const factor = share * inverse;
    block.for_each(y.cols, [&](index_t i) { to[i] = from[i] * factor; });
  }
};

}  // namespace kernel

/// A lane's matrices of scores, keys and values of one head.
template <Lane L>
class head_room {
  using T = scalar_of<L>;
  using cell = typename L::cell;

 public:
  static constexpr index_t lines(index_t tokens) {
    return round_up(tokens, kernel::line_values<T>);
  }

  head_room() = default;
  /// For keys of up to `tokens` tokens, and queries of up to `queries`.
  head_room(index_t queries, index_t tokens, index_t head_width)
      : head_width_(head_width),
        scores_(queries * lines(tokens)),
        keys_(L::packed_cells(head_width, lines(tokens))),
        values_(L::packed_cells(tokens, head_width)) {}

  matrix_view<T> scores(index_t queries, index_t tokens) {
    return scores_.matrix(queries, lines(tokens));
  }
  /// Packs keys and values (tokens, D / H).
  void pack(L const& lane, matrix_view<T const> keys, matrix_view<T const> values) {
    tokens_ = keys.rows;
    lane.pack_transposed(keys, keys_.data());
    std::fill(keys_.data() + L::packed_cells(head_width_, tokens_),
              keys_.data() + L::packed_cells(head_width_, lines(tokens_)),
              cell{});  // panels narrower than a line
    lane.pack(values, values_.data());
  }
  index_t tokens() const { return tokens_; }
  auto keys() const { return L::packed_at(keys_.data(), head_width_, lines(tokens_)); }
  auto values() const { return L::packed_at(values_.data(), tokens_, head_width_); }

 private:
  index_t head_width_ = 0;
  index_t tokens_ = 0;
  host_buffer<T> scores_;
  host_buffer<cell> keys_;
  host_buffer<cell> values_;
};

/// Attention of some queries (M, D) to all tokens of an image, keys and values side by side
/// (rows, 2 D); y (M, D).
template <Lane L, class T = scalar_of<L>>
void attend_from(L const& lane,
                 matrix_view<scalar_of<L> const> queries,
                 matrix_view<scalar_of<L> const> keys_values,
                 index_t heads,
                 head_room<L>& room,
                 matrix_view<scalar_of<L>> y) {
  index_t const width = queries.cols / heads;
  auto const scores = room.scores(queries.rows, keys_values.rows);
  for (index_t h = 0; h < heads; ++h) {
    room.pack(lane,
              keys_values.middle_cols(h * width, width),
              keys_values.middle_cols(queries.cols + h * width, width));
    lane.multiply(
        queries.middle_cols(h * width, width), room.keys(), kernel::store_product<T, T>{scores});
    lane.for_rows(
        queries.rows,
        kernel::softmax_in_place<T>{keys_values.rows, scores, kernel::attention_scale<T>(width)});
    lane.multiply(matrix_view<T const>(scores.middle_cols(0, keys_values.rows)),
                  room.values(),
                  kernel::store_product<T, T>{y.middle_cols(h * width, width)});
  }
}

/// Attention among tokens of which those after the first `others` are the same in image after image
/// (their queries, keys and values too): what these attend to in each other is computed once.
template <Lane L>
class attention_to_same {
  using T = scalar_of<L>;

 public:
  attention_to_same() = default;
  /// For up to `others` tokens beside `same`, whose qkv (same, 3 D) are these.
  attention_to_same(L const& lane, matrix_view<T const> qkv, index_t heads, index_t others)
      : heads_(heads),
        sums_(qkv.rows * (qkv.cols / 3)),
        tops_(heads * qkv.rows),
        totals_(heads * qkv.rows),
        own_(qkv.rows + others, others, qkv.cols / 3 / heads) {
    index_t const width = qkv.cols / 3 / heads;
    for (index_t h = 0; h < heads; ++h) {
      auto& room = same_.emplace_back(std::max(qkv.rows, others), qkv.rows, width);
      auto const head = head_of(qkv, h, width);
      room.pack(lane, head.key, head.value);
      auto const scores = room.scores(qkv.rows, qkv.rows);
      lane.multiply(head.query, room.keys(), kernel::store_product<T, T>{scores});
      auto const before = before_of(h, qkv.rows, width);
      lane.for_rows(
          qkv.rows,
          kernel::exponentials_row<T>{qkv.rows, scores, kernel::attention_scale<T>(width), before});
      lane.multiply(matrix_view<T const>(scores.middle_cols(0, qkv.rows)),
                    room.values(),
                    kernel::store_product<T, T>{before.sums});
    }
  }

  /// qkv (others + same, 3 D), the last of which are as they were; y (others + same, D).
  void forward(L const& lane, matrix_view<T const> qkv, index_t others, matrix_view<T> y) {
    index_t const same = qkv.rows - others;
    index_t const width = y.cols / heads_;
    T const scale = kernel::attention_scale<T>(width);
    for (index_t h = 0; h < heads_; ++h) {
      auto& room = same_[static_cast<std::size_t>(h)];
      auto const head = head_of(qkv, h, width);
      auto const out = y.middle_cols(h * width, width);
      own_.pack(lane, head.key.middle_rows(0, others), head.value.middle_rows(0, others));
      auto const scores = own_.scores(qkv.rows, others);
      auto const to_same = room.scores(others, same);
      lane.multiply(head.query, own_.keys(), kernel::store_product<T, T>{scores});
      lane.multiply(
          head.query.middle_rows(0, others), room.keys(), kernel::store_product<T, T>{to_same});
      lane.for_rows(
          others,
          kernel::softmax_of_two<T>{others, scores.middle_rows(0, others), same, to_same, scale});
      lane.for_rows(same,
                    kernel::softmax_after<T>{others,
                                             scores.middle_rows(others, same),
                                             scale,
                                             before_of(h, same, width),
                                             out.middle_rows(others, same)});
      lane.multiply(matrix_view<T const>(to_same.middle_cols(0, same)),
                    room.values(),
                    kernel::store_product<T, T>{out.middle_rows(0, others)});
      lane.multiply(matrix_view<T const>(scores.middle_cols(0, others)),
                    own_.values(),
                    kernel::add_to_product<T>{out});
    }
  }

 private:
  /// Of an image alone.
  static kernel::attention_operands<T const> head_of(matrix_view<T const> qkv,
                                                     index_t head,
                                                     index_t width) {
    kernel::image_rows const rows{0, qkv.rows};
    return kernel::slice_head(kernel::side_by_side(qkv), rows, rows, head, width);
  }
  kernel::attended_before<T> before_of(index_t head, index_t rows, index_t width) {
    return {sums_.matrix(rows, heads_ * width).middle_cols(head * width, width),
            tops_.data() + head * rows,
            totals_.data() + head * rows};
  }

  index_t heads_ = 1;
  host_buffer<T> sums_;                  // (same, D)
  host_buffer<T> tops_;                  // (heads, same)
  host_buffer<T> totals_;                // (heads, same)
  head_room<L> own_;                     // of the others
  std::vector<head_room<L>> same_ = {};  // of each head
};

}  // namespace MAE_ISA
}  // namespace mae
