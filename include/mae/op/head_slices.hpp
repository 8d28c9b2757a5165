#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cmath>

namespace mae {
inline namespace MAE_ISA {

/// Which rows of each image attend, and to which: two lists of as many images.
struct attention_rows {
  row_offsets queries;
  row_offsets keys;
};

namespace kernel {

/// What queries' products with keys are multiplied by.
template <class T>
T attention_scale(index_t head_width) {
  return T{1} / std::sqrt(static_cast<T>(head_width));
}

/// What attends to what: rows of queries, and those of the keys and values beside them.
template <class T>
struct attention_operands {
  matrix_view<T> query;  // (query rows, D)
  matrix_view<T> key;    // (key rows, D)
  matrix_view<T> value;  // (key rows, D)
};

/// Of qkv (rows, 3 D): queries, keys and values side by side.
template <class T>
constexpr attention_operands<T> side_by_side(matrix_view<T> qkv) {
  index_t const width = qkv.cols / 3;
  return {
      qkv.middle_cols(0, width), qkv.middle_cols(width, width), qkv.middle_cols(2 * width, width)};
}

/// Of queries (query rows, D), and of keys and values side by side, kv (key rows, 2 D).
template <class T>
constexpr attention_operands<T> apart(matrix_view<T> q, matrix_view<T> kv) {
  return {q, kv.middle_cols(0, q.cols), kv.middle_cols(q.cols, q.cols)};
}

/// The rows of an image.
struct image_rows {
  index_t first;
  index_t count;
};

/// One head's queries, keys and values of one image: (queries, D / H), (keys, D / H) twice.
template <class T>
MAE_HOST_DEVICE constexpr attention_operands<T> slice_head(attention_operands<T> const& all,
                                                           image_rows queries,
                                                           image_rows keys,
                                                           index_t head,
                                                           index_t head_width) {
  index_t const begin = head * head_width;
  return {all.query.middle_rows(queries.first, queries.count).middle_cols(begin, head_width),
          all.key.middle_rows(keys.first, keys.count).middle_cols(begin, head_width),
          all.value.middle_rows(keys.first, keys.count).middle_cols(begin, head_width)};
}

}  // namespace kernel

}  // namespace MAE_ISA
}  // namespace mae
