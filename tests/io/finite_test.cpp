#include <mae/io/dtype.hpp>
#include <mae/io/finite.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace {

template <class T>
bool is_finite_at(mae::dtype type, std::size_t place, T value) {
  std::vector<T> values(37);
  values[place] = value;
  return mae::all_finite(type, std::as_bytes(std::span(values)));
}

template <class T>
void check(mae::dtype type) {
  using limits = std::numeric_limits<T>;
  for (std::size_t const place : {0U, 17U, 36U}) {
    for (T const value : {limits::max(), limits::lowest(), limits::denorm_min(), T{-0.0}})
      CHECK(is_finite_at(type, place, value));
    for (T const value : {limits::infinity(), -limits::infinity(), limits::quiet_NaN()})
      CHECK_FALSE(is_finite_at(type, place, value));
  }
}

}  // namespace

TEST_CASE("infinities and NaNs are found anywhere, of either sign, and nothing else") {
  check<float>(mae::dtype::f32);
  check<double>(mae::dtype::f64);
}

TEST_CASE("infinities and NaNs of short types are found; whole numbers are finite") {
  for (int bits = 0; bits < 1 << 16; ++bits) {
    auto const value = static_cast<std::uint16_t>(bits);
    CHECK(is_finite_at(mae::dtype::f16, 3, value) == ((bits & 0x7C00) != 0x7C00));
    CHECK(is_finite_at(mae::dtype::bf16, 3, value) == ((bits & 0x7F80) != 0x7F80));
  }
  CHECK(is_finite_at(mae::dtype::i64, 3, std::int64_t{-1}));
  CHECK(mae::all_finite(mae::dtype::f32, {}));
}
