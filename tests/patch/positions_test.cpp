#include "patch_reference.hpp"

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/patch/positions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

using mae::index_t;

TEST_CASE("positions of a non-square grid are those of the official code") {
  std::vector<double> table(7 * 12, -1.0);
  mae::sincos_positions<double>(2, 3, {table.data(), 7, 12});
  REQUIRE(table.size() == patch_reference::positions_2x3.size());
  for (std::size_t i = 0; i < table.size(); ++i)
    CHECK(std::abs(table[i] - patch_reference::positions_2x3[i]) <= 1e-15);
}

TEST_CASE("positions in float are the rounded positions in double") {
  constexpr index_t rows = 14;
  constexpr index_t columns = 9;
  constexpr index_t width = 64;
  constexpr index_t count = rows * columns + 1;
  std::vector<double> exact(count * width);
  std::vector<float> rounded(count * width);
  mae::sincos_positions<double>(rows, columns, {exact.data(), count, width});
  mae::sincos_positions<float>(rows, columns, {rounded.data(), count, width});
  CHECK(std::equal(exact.begin(), exact.end(), rounded.begin(), [](double x, float y) {
    return static_cast<float>(x) == y;
  }));
}

TEST_CASE("the class token's position is zero, the column comes first") {
  std::vector<float> table(7 * 8, -1.0F);
  mae::matrix_view<float> const positions(table.data(), 7, 8);
  mae::sincos_positions(2, 3, positions);
  for (float const value : positions.row(0)) CHECK(value == 0.0F);
  // Patches 1 and 4 (counted from 0) share the column 1, patches 3 and 4 the row 1.
  for (index_t i = 0; i < 4; ++i) {
    CHECK(positions(2, i) == positions(5, i));
    CHECK(positions(4, 4 + i) == positions(5, 4 + i));
  }
  CHECK(positions(2, 0) == doctest::Approx(std::sin(1.0)));
  CHECK(positions(4, 4) == doctest::Approx(std::sin(1.0)));
}
