#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <cassert>
#include <span>
#include <type_traits>

namespace mae {

/// A row-major matrix that somebody else owns: a pointer, extents and the distance between rows.
template <class T>
struct matrix_view {
  T* data = nullptr;
  index_t rows = 0;
  index_t cols = 0;
  index_t stride = 0;  // elements from one row to the next, >= cols

  constexpr matrix_view() = default;
  constexpr matrix_view(T* first, index_t row_count, index_t col_count)
      : matrix_view(first, row_count, col_count, col_count) {}
  constexpr matrix_view(T* first, index_t row_count, index_t col_count, index_t row_stride)
      : data(first), rows(row_count), cols(col_count), stride(row_stride) {}

  /// A view to read through.
  template <class U>
  requires(std::is_same_v<U const, T> && !std::is_const_v<U>) constexpr matrix_view(
      matrix_view<U> other)  // NOLINT(google-explicit-constructor)
      : data(other.data), rows(other.rows), cols(other.cols), stride(other.stride) {}

  constexpr T& operator()(index_t row, index_t col) const {
    assert(row >= 0 && row < rows && col >= 0 && col < cols);
    return data[row * stride + col];
  }
  constexpr std::span<T> row(index_t row) const {
    assert(row >= 0 && row < rows);
    return {data + row * stride, static_cast<std::size_t>(cols)};
  }
  /// Rows [first, first + count).
  constexpr matrix_view middle_rows(index_t first, index_t count) const {
    assert(first >= 0 && count >= 0 && first + count <= rows);
    return {data + first * stride, count, cols, stride};
  }
  /// Columns [first, first + count).
  constexpr matrix_view middle_cols(index_t first, index_t count) const {
    assert(first >= 0 && count >= 0 && first + count <= cols);
    return {data + first, rows, count, stride};
  }
  constexpr index_t size() const { return rows * cols; }
};

/// The same memory seen as values of U, which it has room and alignment for.
template <class U, class T>
U* memory_as(T* memory) {
  return reinterpret_cast<U*>(memory);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): here
}

inline namespace MAE_ISA {

/// Where rows of a matrix lie, for a kernel that fetches them before they are needed.
struct memory_rows {
  char const* first = nullptr;
  index_t stride = 0;       // bytes
  index_t value_bytes = 0;  // 0: there are none
};

/// The rows of `matrix` from (row, col) on.
template <class T>
memory_rows memory_from(matrix_view<T> matrix, index_t row, index_t col) {
  constexpr auto size = static_cast<index_t>(sizeof(T));
  return {
      memory_as<char const>(matrix.data + row * matrix.stride + col), matrix.stride * size, size};
}

}  // namespace MAE_ISA
}  // namespace mae
