#include "padded_matrix.hpp"

#include <mae/backend/block.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/eigen_map.hpp>
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
using mae_test::padded_matrix;

/// The product is (rows, cols), its sums run over `depth`.
struct product_shape {
  index_t rows;
  index_t cols;
  index_t depth;
};

/// Whether y is the product of a and b as Eigen computes it, but for rounding: each of the two is
/// within K eps |a| |b| of the exact one.
template <class T>
void check_product(padded_matrix<T> const& y, auto const& a, auto const& b) {
  T const unit = static_cast<T>(2 * a.cols()) * std::numeric_limits<T>::epsilon();
  auto const error = (mae::eigen_map(y.view()) - a * b).cwiseAbs().eval();
  auto const bound = (unit * (a.cwiseAbs() * b.cwiseAbs())).eval();
  CHECK((error.array() <= bound.array()).all());
}

/// All three products of a lane.
template <class T>
void check_products(product_shape shape) {
  using lane_type = mae::eigen_lane<T>;
  CAPTURE(shape.rows);
  CAPTURE(shape.cols);
  CAPTURE(shape.depth);
  auto random = mae_test::stream_of(1);
  padded_matrix<T> const a(shape.rows, shape.depth, random);
  padded_matrix<T> const a_transposed(shape.depth, shape.rows, random);
  padded_matrix<T> const b(shape.depth, shape.cols, random);
  padded_matrix<T> const b_transposed(shape.cols, shape.depth, random);
  lane_type const lane;
  mae::host_buffer<typename lane_type::cell> cells(
      lane_type::packed_cells(shape.depth, shape.cols));
  auto const product = [&](auto const& multiply) {
    padded_matrix<T> y(shape.rows, shape.cols, std::numeric_limits<T>::quiet_NaN());
    multiply(mae::kernel::store_product<T, T>{y.view()});
    CHECK(y.gaps_are_intact());
    return y;
  };
  check_product(product([&](auto const& store) {
                  lane.multiply(a.view(), lane.pack(b.view(), cells.data()), store);
                }),
                mae::eigen_map(a.view()),
                mae::eigen_map(b.view()));
  check_product(product([&](auto const& store) {
                  lane.multiply(
                      a.view(), lane.pack_transposed(b_transposed.view(), cells.data()), store);
                }),
                mae::eigen_map(a.view()),
                mae::eigen_map(b_transposed.view()).transpose());
  check_product(product([&](auto const& store) {
                  lane.multiply_transposed(a_transposed.view(), b.view(), store);
                }),
                mae::eigen_map(a_transposed.view()).transpose(),
                mae::eigen_map(b.view()));
}

}  // namespace

TEST_CASE_TEMPLATE("a lane multiplies as Eigen does, for odd sizes and rows with gaps",
                   T,
                   float,
                   double) {
  for (index_t const rows : {1, 3, 17, 64})
    for (index_t const cols : {1, 5, 16, 33})
      for (index_t const depth : {1, 2, 7, 48, 140}) check_products<T>({rows, cols, depth});
  check_products<T>({203, 129, 517});
  check_products<T>({0, 5, 4});
}

TEST_CASE("a view is a matrix of Eigen in the same place") {
  auto random = mae_test::stream_of(2);
  padded_matrix<double> values(7, 30, random);
  padded_matrix<double> const before = values;
  auto const columns = values.view().middle_cols(5, 4);
  mae::eigen_map(columns) *= 2.0;
  CHECK(values.gaps_are_intact());
  for (index_t row = 0; row < 7; ++row)
    for (index_t col = 0; col < 30; ++col)
      CHECK(values(row, col) == before(row, col) * (col >= 5 && col < 9 ? 2.0 : 1.0));
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
