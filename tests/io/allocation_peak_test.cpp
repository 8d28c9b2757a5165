#include "allocation_peak.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

// Replaces the program's global operator new and delete by ones that count. The thread sanitizer
// has operators of its own, which cannot be replaced: nothing is counted then.
#ifdef __has_feature
#define MAE_TEST_HAS_OWN_NEW __has_feature(thread_sanitizer)
#else
#define MAE_TEST_HAS_OWN_NEW 0
#endif

namespace {

std::atomic<std::size_t> in_use = 0;
std::atomic<std::size_t> most_in_use = 0;

[[maybe_unused]] void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  std::size_t const now = in_use += ::malloc_usable_size(memory);
  for (std::size_t most = most_in_use; now > most;)
    if (most_in_use.compare_exchange_weak(most, now)) break;
  return memory;
}

[[maybe_unused]] void uncounted(void* memory) noexcept {
  in_use -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

#if !MAE_TEST_HAS_OWN_NEW
void* operator new(std::size_t size) {
  return counted(std::malloc(size == 0 ? 1 : size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  auto const step = static_cast<std::size_t>(alignment);
  return counted(
      std::aligned_alloc(step, (std::max<std::size_t>(size, 1) + step - 1) / step * step));
}
void operator delete(void* memory) noexcept {
  uncounted(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  uncounted(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  uncounted(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  uncounted(memory);
}
#endif

allocation_peak::allocation_peak() : start_(in_use) {
  most_in_use = start_;
}
std::size_t allocation_peak::bytes() const {
  return most_in_use - start_;
}

TEST_CASE("the peak of allocations is seen" * doctest::skip(MAE_TEST_HAS_OWN_NEW)) {
  allocation_peak const peak;
  std::vector<char>(1'000'000);
  std::vector<char>(2'000'000);
  CHECK(peak.bytes() >= 2'000'000);
  CHECK(peak.bytes() < 2'900'000);
}
