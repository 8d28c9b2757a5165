#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// Replaces the program's global operator new and delete by ones that count, in all threads, and of
// which a chosen one fails. To be included by exactly one file of a program: replaced functions
// must not be inline. Nor may the compiler inline them: g++ 12 would then see a `free` of what came
// from `new`, and warn.

#ifdef __has_feature
#define MAE_TEST_HAS_OWN_NEW __has_feature(thread_sanitizer)
#else
#define MAE_TEST_HAS_OWN_NEW 0
#endif

namespace mae_test {

/// The thread sanitizer has operators of its own, which cannot be replaced: nothing is counted
/// then.
inline constexpr bool counts_allocations = !MAE_TEST_HAS_OWN_NEW;

/// How often `operator new` was called in this program.
inline std::atomic<std::int64_t> allocation_count = 0;
/// How many of its results have not been deleted.
inline std::atomic<std::int64_t> live_allocations = 0;
/// The call, counted as above, that throws std::bad_alloc; 0 for none.
inline std::atomic<std::int64_t> doomed_allocation = 0;

/// Counts a call, or throws where it is the doomed one.
inline void count_allocation() {
  if (++allocation_count == doomed_allocation) throw std::bad_alloc();
}
inline void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  ++live_allocations;
  return memory;
}
inline void free_counted(void* memory) noexcept {
  if (memory != nullptr) --live_allocations;
  std::free(memory);
}

}  // namespace mae_test

#if !MAE_TEST_HAS_OWN_NEW
[[gnu::noinline]] void* operator new(std::size_t size) {
  mae_test::count_allocation();
  return mae_test::counted(std::malloc(size));
}
// The library's own calls the one above; a sanitizer's does not.
[[gnu::noinline]] void* operator new(std::size_t size, std::nothrow_t const& /*tag*/) noexcept {
  try {
    return operator new(size);
  } catch (std::bad_alloc const&) {
    return nullptr;
  }
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  mae_test::count_allocation();
  void* memory = nullptr;
  if (::posix_memalign(&memory, static_cast<std::size_t>(alignment), size) != 0) memory = nullptr;
  return mae_test::counted(memory);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  mae_test::free_counted(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  mae_test::free_counted(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  mae_test::free_counted(memory);
}
[[gnu::noinline]] void operator delete(void* memory,
                                       std::size_t /*size*/,
                                       std::align_val_t /*alignment*/) noexcept {
  mae_test::free_counted(memory);
}
#endif
