// A GPU's ceilings, as the library meets them: products of 8192 x 8192 x 8192 random numbers by
// cuBLASLt in each precision, and copies within its memory, read and written. One JSON line.
#include <mae/backend/cuda/cuda_backend.cuh>
#include <mae/core/bfloat16.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <vector>

namespace {

using mae::index_t;

/// The median of ten runs, in seconds.
template <class Body>
double seconds_of(cudaStream_t stream, Body const& body) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  mae::cuda::check(cudaEventCreate(&begin), "cudaEventCreate");
  mae::cuda::check(cudaEventCreate(&end), "cudaEventCreate");
  std::vector<float> times;
  for (int i = 0; i < 13; ++i) {
    mae::cuda::check(cudaEventRecord(begin, stream), "cudaEventRecord");
    body();
    mae::cuda::check(cudaEventRecord(end, stream), "cudaEventRecord");
    mae::cuda::check(cudaEventSynchronize(end), "cudaEventSynchronize");
    float milliseconds = 0;
    mae::cuda::check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (i >= 3) times.push_back(milliseconds);
  }
  std::nth_element(times.begin(), times.begin() + 5, times.end());
  return times[5] / 1e3;
}

template <class T>
mae::cuda::device_buffer<T> random_values(index_t count) {
  mae::random_stream random{mae::stream_key{}};
  std::vector<T> values;
  for (index_t i = 0; i < count; ++i) values.push_back(static_cast<T>(random.uniform() - 0.5F));
  mae::cuda::device_buffer<T> buffer(count);
  mae::cuda::check(
      cudaMemcpy(buffer.data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
      "cudaMemcpy");
  return buffer;
}

template <class T>
double product_teraflops(cudaStream_t stream, bool tf32) {
  constexpr index_t n = 8192;
  mae::cuda::product_engine products(stream, tf32);
  auto const a = random_values<T>(n * n);
  auto const b = random_values<T>(n * n);
  mae::cuda::device_buffer<T> y(n * n);
  mae::cuda::product_problem<T, T> const problem{
      {{a.data(), n, n}}, {{b.data(), n, n}}, nullptr, {}, {y.data(), n, n}};
  double const seconds = seconds_of(stream, [&] { products.multiply(problem); });
  return 2.0 * static_cast<double>(n * n) * static_cast<double>(n) / seconds / 1e12;
}

double copy_terabytes(cudaStream_t stream) {
  constexpr index_t bytes = index_t{4} << 30;
  mae::cuda::device_buffer<std::byte> from(bytes);
  mae::cuda::device_buffer<std::byte> to(bytes);
  double const seconds = seconds_of(stream, [&] {
    mae::cuda::check(cudaMemcpyAsync(to.data(),
                                     from.data(),
                                     static_cast<std::size_t>(bytes),
                                     cudaMemcpyDeviceToDevice,
                                     stream),
                     "cudaMemcpyAsync");
  });
  return 2.0 * static_cast<double>(bytes) / seconds / 1e12;
}

}  // namespace

int main() {
  try {
    cudaDeviceProp device{};
    mae::cuda::check(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
    cudaStream_t stream = nullptr;
    mae::cuda::check(cudaStreamCreate(&stream), "cudaStreamCreate");
    std::printf(
        "{\"gpu\": \"%s\", \"fp32_teraflops\": %.1f, \"tf32_teraflops\": %.1f, "
        "\"bf16_teraflops\": %.1f, \"terabytes_per_second\": %.2f}\n",
        device.name,
        product_teraflops<float>(stream, false),
        product_teraflops<float>(stream, true),
        product_teraflops<mae::bfloat16>(stream, false),
        copy_terabytes(stream));
    mae::cuda::check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  } catch (std::exception const& problem) {
    std::fprintf(stderr, "cuda_ceiling: %s\n", problem.what());
    return 2;
  }
  return 0;
}
