#pragma once

#include "multiply.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/views.hpp>
#include <mae/op/linear.hpp>

#include <vector>

namespace {

/// a b and a^T b by the tile kernel, behind `values`.
template <class Operand>
void append_tile_products(mae::host_buffer<float> const& a,
                          mae::host_buffer<float> const& b,
                          mae::index_t n,
                          std::vector<float>& values) {
  using lane_type = typename mae::eigen_backend<Operand>::lane;
  std::vector<Operand> left;
  std::vector<Operand> right;
  for (float const value : a.span()) left.push_back(static_cast<Operand>(value));
  for (float const value : b.span()) right.push_back(static_cast<Operand>(value));
  mae::matrix_view<Operand const> const x(left.data(), n, n);
  mae::matrix_view<Operand const> const y(right.data(), n, n);
  mae::host_buffer<typename lane_type::cell> cells(lane_type::packed_cells(n, n));
  mae::host_buffer<float> c(n * n);
  mae::kernel::store_product<float, float> const store{c.matrix(n, n)};
  lane_type const lane;
  lane.multiply(x, lane.pack(y, cells.data()), store);
  values.insert(values.end(), c.data(), c.data() + c.size());
  lane.multiply_transposed(x, y, store);
  values.insert(values.end(), c.data(), c.data() + c.size());
}

/// The products with the including unit's flags. Small whole numbers: exact in any order of sums.
product_result multiply_here(mae::index_t n) {
  mae::host_buffer<float> a(n * n);
  mae::host_buffer<float> b(n * n);
  for (mae::index_t i = 0; i < n * n; ++i) {
    a[i] = static_cast<float>(i % 7);
    b[i] = static_cast<float>(i % 5);
  }
  std::vector<float> values;
  append_tile_products<float>(a, b, n, values);
  append_tile_products<mae::bfloat16>(a, b, n, values);
  return {mae::isa_name, values};
}

}  // namespace
