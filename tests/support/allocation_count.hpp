#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// Replaces the program's global operator new and delete by ones that count, in all threads. To be
// included by exactly one file of a program: replaced functions must not be inline. Nor may the
// compiler inline them: g++ 12 would then see a `free` of what came from `new`, and warn.

namespace mae_test {

/// How often `operator new` was called in this program.
inline std::atomic<std::int64_t> allocation_count = 0;

}  // namespace mae_test

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++mae_test::allocation_count;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  ++mae_test::allocation_count;
  void* memory = nullptr;
  if (::posix_memalign(&memory, static_cast<std::size_t>(alignment), size) == 0) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory,
                                       std::size_t /*size*/,
                                       std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
