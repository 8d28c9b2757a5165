#pragma once

#include <mae/backend/cuda/status.cuh>
#include <mae/core/types.hpp>

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstddef>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace mae::cuda {

/// Throws device_memory_error that says how much was asked for and how much there is, or
/// device_error.
inline void check_allocation(cudaError_t status,
                             std::size_t bytes,
                             std::source_location where = std::source_location::current()) {
  if (status == cudaSuccess) return;
  if (status != cudaErrorMemoryAllocation) check(status, "cudaMalloc", where);
  cudaGetLastError();  // out of memory is no lasting error
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo", where);
  auto const mebibytes = [](std::size_t value) { return std::to_string(value >> 20U) + " MiB"; };
  throw device_memory_error(describe("cudaMalloc",
                                     "out of memory: " + mebibytes(bytes) + " asked for, " +
                                         mebibytes(free) + " free of " + mebibytes(total),
                                     where));
}

/// How many arrays were allocated so far: what holds addresses looks whether others came since.
inline std::atomic<index_t>& allocations() {
  static std::atomic<index_t> count{0};
  return count;
}

/// Owns an array in the GPU's memory, zero at first. Throws device_memory_error.
template <class T>
class device_buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  device_buffer() = default;
  explicit device_buffer(index_t size) : size_(size) {
    if (size == 0) return;
    auto const bytes = static_cast<std::size_t>(size) * sizeof(T);
    check_allocation(cudaMalloc(&data_, bytes), bytes);
    ++allocations();
    check(cudaMemset(data_, 0, bytes), "cudaMemset");
    // The null stream's work is done before a stream of ours, which does not wait for it, begins.
    check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
  }
  device_buffer(device_buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  device_buffer& operator=(device_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~device_buffer() { cudaFree(data_); }

  T* data() noexcept { return data_; }
  T const* data() const noexcept { return data_; }
  index_t size() const noexcept { return size_; }
  std::span<T> span() noexcept { return {data_, static_cast<std::size_t>(size_)}; }
  std::span<T const> span() const noexcept { return {data_, static_cast<std::size_t>(size_)}; }

 private:
  T* data_ = nullptr;
  index_t size_ = 0;
};

/// Owns page-locked memory of the host, which the GPU copies from and to while the host goes on.
class pinned_memory {
 public:
  pinned_memory() = default;
  explicit pinned_memory(std::size_t bytes) : size_(bytes) {
    check(cudaMallocHost(&data_, bytes), "cudaMallocHost");
  }
  pinned_memory(pinned_memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  pinned_memory& operator=(pinned_memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~pinned_memory() { cudaFreeHost(data_); }

  std::byte* data() noexcept { return static_cast<std::byte*>(data_); }
  std::size_t size() const noexcept { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mae::cuda
