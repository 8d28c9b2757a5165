#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace mae {

/// The alignment of every array that a kernel touches: a cache line, and the widest vector.
inline constexpr std::size_t buffer_alignment = 64;

/// Owns an aligned array of host memory, zero at first. Throws std::bad_alloc.
template <class T>
class host_buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  host_buffer() = default;
  explicit host_buffer(index_t size) : data_(allocate(size)), size_(size) {
    std::fill_n(data_.get(), size_, T{});
  }

  T* data() noexcept { return data_.get(); }
  T const* data() const noexcept { return data_.get(); }
  index_t size() const noexcept { return size_; }
  T& operator[](index_t i) { return data_.get()[i]; }
  T const& operator[](index_t i) const { return data_.get()[i]; }
  std::span<T> span() noexcept { return {data_.get(), static_cast<std::size_t>(size_)}; }
  std::span<T const> span() const noexcept {
    return {data_.get(), static_cast<std::size_t>(size_)};
  }
  matrix_view<T> matrix(index_t rows, index_t cols) { return {data_.get(), rows, cols}; }
  matrix_view<T const> matrix(index_t rows, index_t cols) const {
    return {data_.get(), rows, cols};
  }

 private:
  struct release {
    void operator()(T* memory) const noexcept {
      ::operator delete (memory, std::align_val_t{buffer_alignment});
    }
  };

  static T* allocate(index_t size) {
    auto const bytes = static_cast<std::size_t>(size) * sizeof(T);
    return static_cast<T*>(::operator new (bytes, std::align_val_t{buffer_alignment}));
  }

  std::unique_ptr<T, release> data_;
  index_t size_ = 0;
};

}  // namespace mae
