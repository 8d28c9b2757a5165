#include <mae/core/buffer.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

namespace {

template <class T>
bool is_aligned(T const* address) {
  return std::bit_cast<std::uintptr_t>(address) % mae::buffer_alignment == 0;
}

static_assert(!std::is_copy_constructible_v<mae::host_buffer<float>>);
static_assert(std::is_nothrow_move_constructible_v<mae::host_buffer<float>>);

}  // namespace

TEST_CASE_TEMPLATE("a buffer is aligned, zero and of its size", T, std::byte, float, double) {
  for (mae::index_t const size : {1, 3, 63, 64, 1001}) {
    mae::host_buffer<T> const buffer(size);
    CHECK(is_aligned(buffer.data()));
    CHECK(buffer.size() == size);
    CHECK(buffer.span().size() == static_cast<std::size_t>(size));
    CHECK(std::all_of(buffer.span().begin(), buffer.span().end(), [](T x) { return x == T{}; }));
  }
}

TEST_CASE("an empty buffer") {
  CHECK(mae::host_buffer<float>().size() == 0);
  CHECK(mae::host_buffer<float>().data() == nullptr);
  CHECK(mae::host_buffer<float>(0).span().empty());
}

TEST_CASE("a buffer's views are of its own memory") {
  mae::host_buffer<float> buffer(12);
  buffer[7] = 5;
  auto const matrix = buffer.matrix(3, 4);
  CHECK(matrix(1, 3) == 5);
  matrix(2, 0) = 6;
  CHECK(std::as_const(buffer)[8] == 6);
  CHECK(std::as_const(buffer).matrix(2, 6)(1, 2) == 6);
}

TEST_CASE("moving a buffer moves its memory") {
  mae::host_buffer<double> source(4);
  source[3] = 2.5;
  double const* const memory = source.data();
  mae::host_buffer<double> const target = std::move(source);
  CHECK(target.data() == memory);
  CHECK(target[3] == 2.5);
}

// The sanitizers' allocators end the program instead.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool has_own_allocator = true;
#elif defined(__has_feature)
constexpr bool has_own_allocator =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool has_own_allocator = false;
#endif

TEST_CASE("too much memory is bad_alloc" * doctest::skip(has_own_allocator)) {
  constexpr auto too_many = std::numeric_limits<mae::index_t>::max() / 8;
  CHECK_THROWS_AS(mae::host_buffer<double>{too_many}, std::bad_alloc);
}
