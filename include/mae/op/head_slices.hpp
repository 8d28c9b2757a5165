#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cmath>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// What queries' products with keys are multiplied by.
template <class T>
T attention_scale(index_t head_width) {
  return T{1} / std::sqrt(static_cast<T>(head_width));
}

/// One head's queries, keys and values of one image, within the packed rows of qkv.
template <class T>
struct head_slices {
  matrix_view<T> query;  // (tokens, D / H) each
  matrix_view<T> key;
  matrix_view<T> value;
};

template <class T>
MAE_HOST_DEVICE constexpr head_slices<T> slice_head(
    matrix_view<T> qkv, index_t first, index_t tokens, index_t head, index_t head_width) {
  index_t const width = qkv.cols / 3;
  auto const rows = qkv.middle_rows(first, tokens);
  index_t const begin = head * head_width;
  return {rows.middle_cols(begin, head_width),
          rows.middle_cols(width + begin, head_width),
          rows.middle_cols(2 * width + begin, head_width)};
}

}  // namespace kernel

}  // namespace MAE_ISA
}  // namespace mae
