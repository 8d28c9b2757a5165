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

namespace detail {

/// One for all element types, so that the pointer's template is instantiated once.
struct aligned_release {
  void operator()(void* memory) const noexcept {
    ::operator delete (memory, std::align_val_t{buffer_alignment});
  }
};

}  // namespace detail

/// Owns an aligned array of host memory, zero at first. Throws std::bad_alloc.
template <class T>
class host_buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  host_buffer() = default;
  explicit host_buffer(index_t size)
      : memory_(::operator new (static_cast<std::size_t>(size) * sizeof(T),
                                std::align_val_t{buffer_alignment})),
        size_(size) {
    std::fill_n(data(), size_, T{});
  }

  T* data() noexcept { return static_cast<T*>(memory_.get()); }
  T const* data() const noexcept { return static_cast<T const*>(memory_.get()); }
  index_t size() const noexcept { return size_; }
  T& operator[](index_t i) { return data()[i]; }
  T const& operator[](index_t i) const { return data()[i]; }
  std::span<T> span() noexcept { return {data(), static_cast<std::size_t>(size_)}; }
  std::span<T const> span() const noexcept { return {data(), static_cast<std::size_t>(size_)}; }
  matrix_view<T> matrix(index_t rows, index_t cols) { return {data(), rows, cols}; }
  matrix_view<T const> matrix(index_t rows, index_t cols) const { return {data(), rows, cols}; }

 private:
  std::unique_ptr<void, detail::aligned_release> memory_;
  index_t size_ = 0;
};

}  // namespace mae
