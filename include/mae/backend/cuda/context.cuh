#pragma once

#include <mae/backend/cuda/memory.cuh>
#include <mae/backend/cuda/product.cuh>
#include <mae/backend/cuda/recorder.cuh>
#include <mae/backend/cuda/status.cuh>
#include <mae/core/process_mark.hpp>
#include <mae/core/types.hpp>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <span>
#include <string>

namespace mae {

/// How a cuda_backend works.
struct cuda_options {
  int device = 0;
  bool tf32 = false;  // float products by TensorFloat-32, of 10 bits of precision
};

namespace cuda {

/// A stream, and what all lanes of a backend share: its products, scratch memory, and memory that
/// copies pass through.
class context {
 public:
  explicit context(cuda_options const& options)
      : options_(use(options)), products_(stream_, options.tf32) {}
  context(context const&) = delete;
  context& operator=(context const&) = delete;
  ~context() { cudaStreamDestroy(stream_); }

  cudaStream_t stream() const { return stream_; }
  product_engine& products() { return products_; }

  /// Held while a lane's verbs run: const members of a model may be called from several threads.
  std::mutex& turn() { return turn_; }
  /// Makes the device this thread's.
  void select() const {
    require_here();
    check(cudaSetDevice(options_.device), "cudaSetDevice");
  }

  /// Scratch memory of so many bytes, valid until the next call.
  void* scratch(index_t bytes) { return room(scratch_, bytes); }
  /// Likewise, for the chunks of a sum.
  void* partials(index_t bytes) { return room(partials_, bytes); }

  std::string device_name() const {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, options_.device), "cudaGetDeviceProperties");
    return static_cast<char const*>(properties.name);
  }

  /// Throws device_error in a child, by fork(), of the process that made it: the driver serves no
  /// other, and pinned memory is not there to be written.
  void require_here() const {
    if (!home_.is_here()) throw device_error(std::string("cuda: ") + forked_from_user);
  }

  /// Whether it multiplies floats by TensorFloat-32.
  bool uses_tf32() const { return options_.tf32; }
  /// The shared memory that a thread block can have.
  std::size_t shared_bytes() const { return shared_bytes_; }

  template <class Body>
  void replay(std::span<index_t const> key, Body const& body) {
    recorder_.run(stream_, key, body);
  }

  /// Copies to the GPU by way of pinned memory, so that `host` may change at once.
  void upload(std::span<std::byte const> host, void* device) {
    require_here();
    std::byte* const place = pinned_room(host.size());
    std::memcpy(place, host.data(), host.size());
    check(cudaMemcpyAsync(device, place, host.size(), cudaMemcpyHostToDevice, stream_), "upload");
  }
  /// Copies from the GPU when all work before is done.
  void download(void const* device, std::span<std::byte> host) {
    require_here();
    check(cudaMemcpyAsync(host.data(), device, host.size(), cudaMemcpyDeviceToHost, stream_),
          "download");
    synchronize();
  }
  void synchronize() {
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    pinned_used_ = 0;
  }

 private:
  /// The device is chosen before any member needs it.
  static cuda_options const& use(cuda_options const& options) {
    check(cudaSetDevice(options.device), "cudaSetDevice");
    return options;
  }
  static std::size_t most_shared_bytes(int device) {
    int bytes = 0;
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
          "cudaDeviceGetAttribute");
    return static_cast<std::size_t>(bytes);
  }
  static cudaStream_t make_stream() {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    return stream;
  }

  void* room(device_buffer<std::byte>& buffer, index_t bytes) {
    if (buffer.size() < bytes) {
      synchronize();  // what uses the smaller one is done
      buffer = {};
      buffer = device_buffer<std::byte>(bytes);
    }
    return buffer.data();
  }

  std::byte* pinned_room(std::size_t bytes) {
    constexpr std::size_t alignment = 256;
    if (pinned_used_ + bytes > pinned_.size()) {
      // A step's uploads soon find room one behind the other, and none waits for another.
      constexpr std::size_t most = std::size_t{1} << 30U;
      synchronize();
      std::size_t const wanted = std::max({2 * bytes, 2 * pinned_.size(), std::size_t{1} << 22U});
      if (pinned_.size() < std::max(bytes, most)) {
        pinned_ = {};
        pinned_ = pinned_memory(std::max(bytes, std::min(wanted, most)));
      }
    }
    std::byte* const place = pinned_.data() + pinned_used_;
    pinned_used_ += (bytes + alignment - 1) / alignment * alignment;
    return place;
  }

  cuda_options options_;
  std::size_t shared_bytes_ = most_shared_bytes(options_.device);
  cudaStream_t stream_ = make_stream();
  product_engine products_;
  recorder recorder_;
  device_buffer<std::byte> scratch_;
  device_buffer<std::byte> partials_;
  pinned_memory pinned_;
  std::size_t pinned_used_ = 0;
  std::mutex turn_;
  process_mark home_;
};

}  // namespace cuda
}  // namespace mae
