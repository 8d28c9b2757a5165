#pragma once

#include <mae/core/types.hpp>

#include <vector>

/// The product of two (n, n) matrices of counting numbers, and the instruction set it was computed
/// with. Each of the two is defined in a translation unit with flags of its own.
struct product_result {
  char const* isa = nullptr;
  std::vector<float> values;
};
product_result multiply_portable(mae::index_t n);
product_result multiply_native(mae::index_t n);
