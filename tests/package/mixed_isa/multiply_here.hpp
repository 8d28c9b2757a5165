#pragma once

#include "multiply.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>

#include <vector>

namespace {

/// The product with the including unit's flags. Small whole numbers: exact in any order of sums.
product_result multiply_here(mae::index_t n) {
  mae::host_buffer<float> a(n * n);
  mae::host_buffer<float> b(n * n);
  mae::host_buffer<float> c(n * n);
  for (mae::index_t i = 0; i < n * n; ++i) {
    a[i] = static_cast<float>(i % 7);
    b[i] = static_cast<float>(i % 5);
  }
  mae::eigen_backend<float>::lane const lane;
  lane.add_product(mae::product_form::nn, a.matrix(n, n), b.matrix(n, n), c.matrix(n, n));
  return {mae::isa_name, std::vector<float>(c.data(), c.data() + c.size())};
}

}  // namespace
