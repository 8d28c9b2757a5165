#include "run_on.hpp"
#include "thrust_run.hpp"

#include <mae/backend/thrust/tbb.hpp>
#include <mae/backend/thrust/thrust_backend.hpp>

namespace mae_test {

backend_run run_on_thrust_tbb() {
  return run_on(mae::thrust_backend<mae::tbb_system, float>(2));
}

}  // namespace mae_test
