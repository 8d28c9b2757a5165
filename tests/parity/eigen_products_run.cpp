#include "eigen_products_run.hpp"

#include "run_on.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/eigen_products.hpp>
#include <mae/core/bfloat16.hpp>

namespace mae_test {

backend_run run_on_eigen_products() {
  return run_on(mae::eigen_backend<float, mae::eigen_products>(2));
}

backend_run run_on_eigen_products_bf16() {
  return run_on(mae::eigen_backend<mae::bfloat16, mae::eigen_products>(2));
}

}  // namespace mae_test
