#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/layout.hpp>

#include <span>

namespace mae {

/// The stride of a matrix of operands of so many columns: rows that lie a multiple of 4096 bytes
/// apart push each other out of a core's first cache, so that such ones are given a cache line
/// more.
template <class T>
constexpr index_t operand_stride(index_t cols) {
  constexpr index_t page = 4096 / sizeof(T);
  constexpr index_t line = 64 / sizeof(T);
  return cols % page == 0 ? cols + line : cols;
}

/// Cuts a flat array into matrices, one behind the other. Without an array it only counts, so that
/// one description of a workspace gives first its size and then its parts.
template <class T>
class carver {
 public:
  carver() = default;
  explicit carver(T* base) : base_(base) {}

  matrix_view<T> matrix(index_t rows, index_t cols) {
    index_t const offset = used_;
    used_ += round_up(rows * cols, tensor_alignment);
    return base_ == nullptr ? matrix_view<T>{} : matrix_view<T>{base_ + offset, rows, cols};
  }
  /// A matrix of operands, of a type that is not larger than T, as products read it best.
  template <class U>
  matrix_view<U> matrix_of(index_t rows, index_t cols) {
    static_assert(sizeof(U) <= sizeof(T));
    index_t const stride = operand_stride<U>(cols);
    constexpr index_t each = sizeof(U);
    constexpr index_t whole = sizeof(T);
    auto const place = vector(ceil_div(rows * stride * each, whole));
    return {memory_as<U>(place.data()), rows, cols, stride};
  }
  std::span<T> vector(index_t size) {
    auto const row = matrix(1, size);
    return {row.data, static_cast<std::size_t>(row.cols)};
  }
  /// Elements handed out so far.
  index_t used() const { return used_; }

 private:
  T* base_ = nullptr;
  index_t used_ = 0;
};

}  // namespace mae
