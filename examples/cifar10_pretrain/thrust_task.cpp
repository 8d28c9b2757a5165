#include "processor_task.hpp"

#include <mae/backend/thrust/omp.hpp>
#include <mae/backend/thrust/tbb.hpp>
#include <mae/backend/thrust/thrust_backend.hpp>
#include <mae/core/bfloat16.hpp>

namespace pretrain {
namespace {

template <class System>
std::unique_ptr<training_task> make_on(task_parts const& parts) {
  if (parts.settings.precision == precision_choice::bf16)
    return make_processor_task<mae::thrust_backend<System, mae::bfloat16>>(parts);
  return make_processor_task<mae::thrust_backend<System, float>>(parts);
}

}  // namespace

std::unique_ptr<training_task> make_thrust_task(task_parts const& parts) {
  switch (parts.settings.backend) {
    case backend_choice::thrust_omp:
      return make_on<mae::omp_system>(parts);
    case backend_choice::thrust_tbb:
      return make_on<mae::tbb_system>(parts);
    default:
      return make_on<mae::cpp_system>(parts);
  }
}

}  // namespace pretrain
