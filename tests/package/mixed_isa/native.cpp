#include "multiply_here.hpp"

product_result multiply_native(mae::index_t n) {
  return multiply_here(n);
}
