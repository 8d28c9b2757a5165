#include "padded_matrix.hpp"

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/matrix_product.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/op/linear.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae::product_form;
using mae_test::padded_matrix;

/// c is (rows, cols), the sum runs over `depth`.
struct product_shape {
  index_t rows;
  index_t cols;
  index_t depth;
};

template <class T>
padded_matrix<T> left_operand(product_form form, product_shape shape, mae::random_stream& random) {
  return form == product_form::tn ? padded_matrix<T>(shape.depth, shape.rows, random)
                                  : padded_matrix<T>(shape.rows, shape.depth, random);
}

template <class T>
padded_matrix<T> right_operand(product_form form, product_shape shape, mae::random_stream& random) {
  return form == product_form::nt ? padded_matrix<T>(shape.cols, shape.depth, random)
                                  : padded_matrix<T>(shape.depth, shape.cols, random);
}

/// The largest error of c + a b, in units of the bound (K + 1) eps (|c| + sum |a||b|): at most 1.
template <class T>
double error_over_bound(product_form form,
                        product_shape shape,
                        padded_matrix<T> const& a,
                        padded_matrix<T> const& b,
                        padded_matrix<T> const& before,
                        padded_matrix<T> const& after) {
  double worst = 0;
  for (index_t i = 0; i < shape.rows; ++i)
    for (index_t j = 0; j < shape.cols; ++j) {
      long double exact = before(i, j);
      long double magnitude = std::abs(exact);
      for (index_t k = 0; k < shape.depth; ++k) {
        long double const x = form == product_form::tn ? a(k, i) : a(i, k);
        long double const y = form == product_form::nt ? b(j, k) : b(k, j);
        exact += x * y;
        magnitude += std::abs(x * y);
      }
      auto const unit = static_cast<long double>(std::numeric_limits<T>::epsilon());
      long double const bound = static_cast<long double>(shape.depth + 1) * unit * magnitude;
      auto const ratio = static_cast<double>(std::abs(after(i, j) - exact) / bound);
      worst = std::isnan(ratio) ? std::numeric_limits<double>::infinity() : std::max(worst, ratio);
    }
  return worst;
}

template <class T>
void add_product(product_form form,
                 mae::matrix_view<T const> a,
                 mae::matrix_view<T const> b,
                 mae::matrix_view<T> c) {
  switch (form) {
    case product_form::nn:
      return mae::add_product<product_form::nn>(a, b, c);
    case product_form::nt:
      return mae::add_product<product_form::nt>(a, b, c);
    case product_form::tn:
      return mae::add_product<product_form::tn>(a, b, c);
  }
}

template <class T>
void check_product(product_form form, product_shape shape) {
  auto random = mae_test::stream_of(1);
  auto const a = left_operand<T>(form, shape, random);
  auto const b = right_operand<T>(form, shape, random);
  padded_matrix<T> const before(shape.rows, shape.cols, random);
  padded_matrix<T> after = before;
  add_product<T>(form, a.view(), b.view(), after.view());
  CAPTURE(static_cast<int>(form));
  CAPTURE(shape.rows);
  CAPTURE(shape.cols);
  CAPTURE(shape.depth);
  CHECK(error_over_bound(form, shape, a, b, before, after) <= 1);
  CHECK(after.gaps_are_intact());
}

}  // namespace

TEST_CASE_TEMPLATE("a product adds what a double loop adds, for odd sizes and rows with gaps",
                   T,
                   float,
                   double) {
  for (auto const form : {product_form::nn, product_form::nt, product_form::tn})
    for (index_t const rows : {1, 3, 17, 64})
      for (index_t const cols : {1, 5, 16, 33})
        for (index_t const depth : {1, 2, 7, 48, 140}) check_product<T>(form, {rows, cols, depth});
}

TEST_CASE_TEMPLATE("a large product", T, float, double) {
  for (auto const form : {product_form::nn, product_form::nt, product_form::tn})
    check_product<T>(form, {203, 129, 517});
}

TEST_CASE_TEMPLATE("a product with an empty side changes nothing", T, float, double) {
  for (auto const form : {product_form::nn, product_form::nt, product_form::tn}) {
    check_product<T>(form, {3, 5, 0});
    check_product<T>(form, {0, 5, 4});
    check_product<T>(form, {3, 0, 4});
  }
}

TEST_CASE("a product reads and writes columns within wider rows, as attention's heads do") {
  auto random = mae_test::stream_of(2);
  padded_matrix<double> const qkv(7, 30, random);
  padded_matrix<double> scores(7, 7);
  auto const query = qkv.view().middle_cols(5, 5);
  auto const key = qkv.view().middle_cols(15, 5);
  mae::add_product<product_form::nt, double>(query, key, scores.view());
  for (index_t i = 0; i < 7; ++i)
    for (index_t j = 0; j < 7; ++j) {
      double expected = 0;
      for (index_t k = 0; k < 5; ++k) expected += query(i, k) * key(j, k);
      CHECK(scores(i, j) == doctest::Approx(expected).epsilon(1e-14));
    }
}

TEST_CASE_TEMPLATE("a team multiplies to the same bits as one thread", T, float, double) {
  using lane_type = mae::eigen_lane<T>;
  mae::thread_pool threads(3);
  lane_type const alone;
  lane_type const team(threads);
  auto random = mae_test::stream_of(4);
  for (product_shape const shape :
       {product_shape{197, 129, 517}, product_shape{5, 800, 400}, product_shape{3, 2, 4}}) {
    padded_matrix<T> const a(shape.rows, shape.depth, random);
    padded_matrix<T> const b(shape.depth, shape.cols, random);
    mae::host_buffer<typename lane_type::cell> cells(
        lane_type::packed_cells(shape.depth, shape.cols));
    auto const packed = alone.pack(b.view(), cells.data());
    padded_matrix<T> by_one(shape.rows, shape.cols);
    padded_matrix<T> by_team(shape.rows, shape.cols);
    alone.multiply(a.view(), packed, mae::kernel::store_product<T, T>{by_one.view()});
    team.multiply(a.view(), packed, mae::kernel::store_product<T, T>{by_team.view()});
    CHECK(by_team.gaps_are_intact());
    for (index_t i = 0; i < shape.rows; ++i)
      REQUIRE(std::ranges::equal(by_team.view().row(i), by_one.view().row(i)));
  }
}

TEST_CASE("a team takes every part once, each with a member of its own") {
  mae::thread_pool threads(3);
  mae::eigen_lane<float> const team(threads);
  CHECK(team.num_members() == 3);
  using part_visits = std::vector<std::pair<mae::eigen_lane<float> const*, int>>;
  std::vector<part_visits> visits(20);
  team.for_parts(20, [&](mae::eigen_lane<float> const& mine, index_t part, int member) {
    visits[static_cast<std::size_t>(part)].emplace_back(&mine, member);
  });
  std::map<mae::eigen_lane<float> const*, int> members;
  for (auto const& part : visits) {
    REQUIRE(part.size() == 1);
    auto const [mine, member] = part.front();
    CHECK(mine->num_members() == 1);
    CHECK(member < 3);
    CHECK(members.try_emplace(mine, member).first->second == member);
  }
  std::set<int> numbers;
  for (auto const& [mine, member] : members) CHECK(numbers.insert(member).second);
}

TEST_CASE_TEMPLATE("column sums add what a loop adds", T, float, double) {
  mae::eigen_lane<T> const lane;
  for (index_t const rows : {0, 1, 2, 19, 200})
    for (index_t const cols : {1, 3, 16, 65}) {
      auto random = mae_test::stream_of(3);
      padded_matrix<T> const values(rows, cols, random);
      padded_matrix<T> const before(1, cols, random);
      padded_matrix<T> after = before;
      lane.add_column_sums(
          rows, [&](index_t row, index_t col) { return values(row, col); }, after.vector());
      CHECK(after.gaps_are_intact());
      for (index_t col = 0; col < cols; ++col) {
        double exact = before(0, col);
        double magnitude = std::abs(exact);
        for (index_t row = 0; row < rows; ++row) {
          exact += values(row, col);
          magnitude += std::abs(values(row, col));
        }
        double const unit = std::numeric_limits<T>::epsilon();
        REQUIRE(std::abs(after(0, col) - exact) <= static_cast<double>(rows) * unit * magnitude);
      }
    }
}

TEST_CASE("rows and elements are visited once, in order") {
  mae::eigen_lane<float> const lane;
  std::vector<index_t> rows;
  lane.for_rows(5, [&](mae::serial_block const&, index_t row) { rows.push_back(row); });
  CHECK(rows == std::vector<index_t>{0, 1, 2, 3, 4});
  std::vector<index_t> elements;
  lane.for_each(3, [&](index_t i) { elements.push_back(i); });
  CHECK(elements == std::vector<index_t>{0, 1, 2});
}
