#pragma once

#include "backend_run.hpp"

namespace mae_test {

backend_run run_on_eigen_products();
backend_run run_on_eigen_products_bf16();

}  // namespace mae_test
