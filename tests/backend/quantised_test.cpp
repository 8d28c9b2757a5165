#include <mae/backend/tile/quantise.hpp>
#include <mae/backend/tile/quantised_operand.hpp>
#include <mae/backend/tile/quantised_product.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

// This file is compiled for every instruction set that int8 products have code for; the operand
// that a set has no instruction for is multiplied there too.

namespace {

using mae::index_t;
using mae::int8_of_four;
using mae::int8_of_pair;
using mae::int8_of_signed_four;
using mae::matrix_view;

/// Whole numbers of [-127, 127] as floats; with `extremes` the two ends alone.
struct whole_numbers {
  whole_numbers(index_t rows, index_t cols, std::uint64_t seed, bool extremes)
      : rows_(rows), cols_(cols) {
    mae::random_stream random({.seed = seed, .use = mae::purpose::probe});
    for (index_t i = 0; i < rows * cols; ++i) {
      float const drawn = random.uniform();
      values.push_back(extremes ? (drawn < 0.5F ? -127.0F : 127.0F)
                                : std::floor(255 * drawn) - 127);
    }
    // Each row's greatest magnitude is 127, so that its scale is 1.
    for (index_t row = 0; row < rows && cols > 0; ++row)
      values[static_cast<std::size_t>(row * cols + row % cols)] = row % 2 == 0 ? 127.0F : -127.0F;
  }

  matrix_view<float const> view() const { return {values.data(), rows_, cols_}; }

  std::vector<float> values;

 private:
  index_t rows_;
  index_t cols_;
};

/// Keeps the values of a product, and how often each came.
struct keep_values {
  static constexpr bool is_affine = true;
  matrix_view<float> y;
  matrix_view<int> times;

  std::array<mae::memory_rows, 2> meets(index_t row, index_t col) const {
    return {mae::memory_from(y, row, col)};
  }
  template <class Count>
  void operator()(float const* values, index_t row, index_t col, Count count) const {
    for (index_t i = 0; i < count; ++i) {
      y(row, col + i) = values[i];
      ++times(row, col + i);
    }
  }
};

/// x (rows, depth) times weights (cols, depth)^T in int8.
template <class O>
struct quantised_result {
  quantised_result(matrix_view<float const> x, matrix_view<float const> weights)
      : values(static_cast<std::size_t>(x.rows * weights.rows)),
        times(values.size()),
        y(values.data(), x.rows, weights.rows) {
    mae::host_buffer<float> memory(mae::quantised_cells<O>(weights.cols, weights.rows));
    auto const packed = mae::pack_quantised<O>(weights, memory.data());
    mae::quantised_rows<O> rows;
    rows.reserve(x.rows, x.cols);
    rows.quantise(x, 0, x.rows);
    mae::multiply_quantised<O>(rows,
                               x.rows,
                               packed,
                               0,
                               packed.values.num_panels(),
                               rows.padding(),
                               keep_values{y, {times.data(), y.rows, y.cols}});
  }

  std::vector<float> values;
  std::vector<int> times;
  matrix_view<float> y;
};

/// Whether every sum is that of whole numbers.
template <class O>
bool is_exact(index_t rows, index_t cols, index_t depth, bool extremes) {
  whole_numbers const x(rows, depth, 1, extremes);
  whole_numbers const weights(cols, depth, 2, extremes);
  quantised_result<O> const result(x.view(), weights.view());
  for (index_t row = 0; row < rows; ++row)
    for (index_t col = 0; col < cols; ++col) {
      std::int64_t sum = 0;
      for (index_t k = 0; k < depth; ++k)
        sum += static_cast<std::int64_t>(x.view()(row, k)) *
               static_cast<std::int64_t>(weights.view()(col, k));
      if (result.y(row, col) != static_cast<float>(sum)) return false;
      if (result.times[static_cast<std::size_t>(row * cols + col)] != 1) return false;
    }
  return true;
}

std::vector<std::int8_t> quantised(std::vector<float> const& row, float* scale = nullptr) {
  std::vector<std::int8_t> values(row.size());
  float const found =
      mae::quantise_row(row.data(), static_cast<index_t>(row.size()), "a row", 0, values.data());
  if (scale != nullptr) *scale = found;
  return values;
}

}  // namespace

TEST_CASE_TEMPLATE("sums of int8 products are those of whole numbers",
                   O,
                   int8_of_pair,
                   int8_of_four,
                   int8_of_signed_four) {
  for (bool const extremes : {false, true}) {
    CAPTURE(extremes);
    for (index_t const rows : {1, 2, 3, 5, 6, 7, 12, 13, 16, 17, 25, 33, 49})
      for (index_t const cols : {1, 7, 8, 16, 17, 33, 65})
        for (index_t const depth : {1, 2, 3, 4, 5, 17, 64, 65, 192}) {
          CAPTURE(rows);
          CAPTURE(cols);
          CAPTURE(depth);
          REQUIRE(is_exact<O>(rows, cols, depth, extremes));
        }
    CHECK(is_exact<O>(301, 40, 96, extremes));  // several blocks of rows
    CHECK(is_exact<O>(7, 17, 5120, extremes));
    if (extremes) CHECK(is_exact<O>(301, 352, 3072, extremes));  // weights beyond a second cache
  }
}

TEST_CASE_TEMPLATE("the deepest product of the greatest values fits",
                   O,
                   int8_of_pair,
                   int8_of_four,
                   int8_of_signed_four) {
  for (float const of : {127.0F, -127.0F}) {
    std::vector<float> const x(static_cast<std::size_t>(mae::most_int8_depth), 127.0F);
    std::vector<float> const weights(static_cast<std::size_t>(mae::most_int8_depth), of);
    quantised_result<O> const result({x.data(), 1, mae::most_int8_depth},
                                     {weights.data(), 1, mae::most_int8_depth});
    CHECK(result.values.front() == static_cast<float>(mae::most_int8_depth) * 127 * of);
  }
  std::vector<float> const weights(static_cast<std::size_t>(mae::most_int8_depth) + 1);
  std::vector<float> memory;
  CHECK_THROWS_AS(
      mae::pack_quantised<O>({weights.data(), 1, mae::most_int8_depth + 1}, memory.data()),
      mae::config_error);
}

TEST_CASE("a multiply-add of registers is that of whole numbers") {
  mae::random_stream random({.seed = 3, .use = mae::purpose::probe});
  for (int again = 0; again < 200; ++again) {
    std::uint32_t a = random.word();
    mae::vector_of<std::uint32_t> b{};
    for (index_t i = 0; i < mae::vector_length<std::uint32_t>; ++i) b[i] = random.word();
    if (again % 2 == 0) b |= 0x7F7F7F7FU;  // many of the greatest
    mae::vector_of<std::int32_t> fours{};
    mae::vector_of<std::int32_t> fours_apart{};
    mae::operand_traits<int8_of_four>::multiply_add(fours, a, b);
    mae::kernel::add_four_products<std::uint8_t>(fours_apart, a, b);
    CHECK(std::memcmp(&fours, &fours_apart, sizeof(fours)) == 0);
    mae::vector_of<std::int32_t> signed_fours{};
    mae::vector_of<std::int32_t> signed_fours_apart{};
    mae::operand_traits<int8_of_signed_four>::multiply_add(signed_fours, a, b);
    mae::kernel::add_four_products<std::int8_t>(signed_fours_apart, a, b);
    CHECK(std::memcmp(&signed_fours, &signed_fours_apart, sizeof(signed_fours)) == 0);

    a &= 0x007F007FU;  // of [-127, 127] in 16 bits
    if (again % 3 == 0) a = 0xFF81FF81U;
    for (index_t i = 0; i < mae::vector_length<std::uint32_t>; ++i) b[i] &= 0x007F007FU;
    if (again % 5 == 0) b ^= 0xFF80FF80U;
    mae::vector_of<std::int32_t> pairs{};
    mae::vector_of<std::int32_t> pairs_apart{};
    mae::operand_traits<int8_of_pair>::multiply_add(pairs, a, b);
    mae::kernel::add_pair_products(pairs_apart, a, b);
    CHECK(std::memcmp(&pairs, &pairs_apart, sizeof(pairs)) == 0);
  }
}

TEST_CASE("a row is quantised by its greatest magnitude, halves to even") {
  float scale = 0;
  CHECK(quantised({127, -63.5F, 0.5F, 1.5F, 2.5F, -2.5F, 0.49F}, &scale) ==
        std::vector<std::int8_t>{127, -64, 0, 2, 2, -2, 0});
  CHECK(scale == 1);
  CHECK(quantised({0, -0.0F, 0}, &scale) == std::vector<std::int8_t>{0, 0, 0});
  CHECK(scale == 1);
  CHECK(quantised({}, &scale).empty());
  CHECK(scale == 1);
  constexpr float largest = std::numeric_limits<float>::max();
  CHECK(quantised({largest, -largest, 0, largest / 2}, &scale) ==
        std::vector<std::int8_t>{127, -127, 0, 64});
  CHECK(std::isfinite(127 * scale));
  constexpr float smallest = std::numeric_limits<float>::denorm_min();
  CHECK(quantised({smallest, -smallest}, &scale) == std::vector<std::int8_t>{0, 0});
  CHECK(scale == 1);
}

TEST_CASE("what is not finite is refused") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (float const bad : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity})
    CHECK_THROWS_WITH_AS(quantised({1, bad, 2}),
                         "a value of a row is not finite, which int8 products cannot read",
                         mae::numeric_error);
}

TEST_CASE("values of a scale, quantised again, are the same whole numbers and scale") {
  mae::random_stream random({.seed = 4, .use = mae::purpose::probe});
  for (int exponent = -150; exponent <= 127; ++exponent)
    for (int again = 0; again < 8; ++again) {
      std::vector<float> row;
      for (int i = 0; i < 9; ++i) row.push_back(std::ldexp(random.uniform() - 0.5F, exponent + 1));
      float scale = 0;
      auto const values = quantised(row, &scale);
      std::vector<float> exact;
      for (std::size_t i = 0; i < row.size(); ++i) {
        exact.push_back(static_cast<float>(values[i]) * scale);
        REQUIRE(static_cast<double>(exact.back()) == static_cast<double>(values[i]) * scale);
        REQUIRE(std::abs(static_cast<double>(exact.back()) - row[i]) <= 0.51 * scale);
      }
      float scale_again = 0;
      CHECK(quantised(exact, &scale_again) == values);
      bool const is_zero = values == std::vector<std::int8_t>(row.size());
      CHECK(scale_again == (is_zero ? 1 : scale));
    }
}

TEST_CASE_TEMPLATE("an entry's bits do not depend on the rows beside it, however large",
                   O,
                   int8_of_pair,
                   int8_of_four,
                   int8_of_signed_four) {
  mae::random_stream random({.seed = 5, .use = mae::purpose::probe});
  constexpr index_t depth = 50;
  constexpr index_t cols = 37;
  std::vector<float> x;
  for (index_t i = 0; i < 31 * depth; ++i)
    x.push_back(static_cast<float>(random.normal()) * (i / depth % 3 == 0 ? 1000.0F : 1.0F));
  std::vector<float> weights;
  for (index_t i = 0; i < cols * depth; ++i) weights.push_back(static_cast<float>(random.normal()));
  matrix_view<float const> const layer(weights.data(), cols, depth);
  quantised_result<O> const whole({x.data(), 31, depth}, layer);
  for (index_t const first : {0, 1, 7, 29})
    for (index_t const count : {1, 2}) {
      quantised_result<O> const part({x.data() + first * depth, count, depth}, layer);
      CHECK(std::memcmp(
                part.values.data(), &whole.y(first, 0), part.values.size() * sizeof(float)) == 0);
    }
  for (index_t row = 0; row < 31; ++row)
    for (index_t col = 0; col < cols; ++col) {
      double exact = 0;
      double bound = 0;
      for (index_t k = 0; k < depth; ++k) {
        exact += static_cast<double>(x[static_cast<std::size_t>(row * depth + k)]) * layer(col, k);
        bound += std::abs(x[static_cast<std::size_t>(row * depth + k)]);
      }
      REQUIRE(std::abs(whole.y(row, col) - exact) < 0.03 * bound);
    }
}
