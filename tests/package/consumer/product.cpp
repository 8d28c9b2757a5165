#include "consumer.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/buffer.hpp>

#include <numeric>

float product_sum() {
  mae::host_buffer<float> a(2 * 3);
  mae::host_buffer<float> b(3 * 2);
  mae::host_buffer<float> c(2 * 2);
  std::iota(a.data(), a.data() + a.size(), 1.0F);
  std::iota(b.data(), b.data() + b.size(), 1.0F);
  mae::eigen_backend<float>::lane const lane;
  lane.add_product(mae::product_form::nn, a.matrix(2, 3), b.matrix(3, 2), c.matrix(2, 2));
  return std::accumulate(c.data(), c.data() + c.size(), 0.0F);
}
