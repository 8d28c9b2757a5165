#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/model/layout.hpp>

#include <span>
#include <type_traits>

namespace mae {

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
  /// A matrix of a type that is not larger than T.
  template <class U>
  matrix_view<U> matrix_of(index_t rows, index_t cols) {
    static_assert(sizeof(U) <= sizeof(T));
    if constexpr (std::is_same_v<U, T>) {
      return matrix(rows, cols);
    } else {
      auto const place = matrix(
          1,
          ceil_div(rows * cols * static_cast<index_t>(sizeof(U)), static_cast<index_t>(sizeof(T))));
      return {memory_as<U>(place.data), rows, cols};
    }
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
