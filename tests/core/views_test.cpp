#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <doctest/doctest.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <type_traits>

namespace {

using mae::matrix_view;

static_assert(std::convertible_to<matrix_view<float>, matrix_view<float const>>);
static_assert(!std::convertible_to<matrix_view<float const>, matrix_view<float>>);
static_assert(std::is_trivially_copyable_v<matrix_view<double>>);

constexpr std::array<int, 12> twelve{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
constexpr matrix_view<int const> whole(twelve.data(), 3, 4);
static_assert(whole.stride == 4 && whole.size() == 12);
static_assert(whole(0, 0) == 0 && whole(1, 2) == 6 && whole(2, 3) == 11);
static_assert(whole.row(2).front() == 8 && whole.row(2).size() == 4);

constexpr auto corner = whole.middle_rows(1, 2).middle_cols(2, 2);
static_assert(corner.rows == 2 && corner.cols == 2 && corner.stride == 4);
static_assert(corner(0, 0) == 6 && corner(0, 1) == 7 && corner(1, 0) == 10 && corner(1, 1) == 11);
static_assert(corner.size() == 4 && corner.row(1).size() == 2);

static_assert(whole.middle_rows(3, 0).size() == 0 && whole.middle_cols(4, 0).size() == 0);
static_assert(matrix_view<int>{}.data == nullptr && matrix_view<int>{}.size() == 0);

static_assert(mae::round_up(0, 16) == 0 && mae::round_up(1, 16) == 16);
static_assert(mae::round_up(16, 16) == 16 && mae::round_up(17, 16) == 32);
static_assert(mae::ceil_div(0, 4) == 0 && mae::ceil_div(1, 4) == 1);
static_assert(mae::ceil_div(4, 4) == 1 && mae::ceil_div(5, 4) == 2);

}  // namespace

TEST_CASE("a view writes into the owner's memory, over gaps between rows") {
  std::array<int, 10> memory{};
  matrix_view<int> const view(memory.data(), 2, 3, 5);
  std::iota(view.row(0).begin(), view.row(0).end(), 1);
  view(1, 2) = 9;
  CHECK(memory == std::array<int, 10>{1, 2, 3, 0, 0, 0, 0, 9, 0, 0});

  matrix_view<int const> const reader = view;
  CHECK(reader(1, 2) == 9);
  CHECK(reader.stride == 5);
}
