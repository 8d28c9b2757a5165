#include "backend_task.hpp"

#include <mae/backend/thrust/omp.hpp>
#include <mae/backend/thrust/tbb.hpp>
#include <mae/backend/thrust/thrust_backend.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/build_info.hpp>

namespace pretrain {
namespace {

template <class System, class Operand>
std::unique_ptr<training_task> make(task_parts const& parts) {
  using backend = mae::thrust_backend<System, Operand>;
  return std::make_unique<backend_task<backend>>(
      parts,
      backend(parts.threads),
      compute_description{.backend = backend::name(),
                          .precision = backend::precision(),
                          .device = mae::isa_name,
                          .is_emulated = !mae::has_fast_products<Operand>,
                          .uses_processor = true});
}

template <class System>
std::unique_ptr<training_task> make_on(task_parts const& parts) {
  if (parts.settings.precision == precision_choice::bf16) return make<System, mae::bfloat16>(parts);
  return make<System, float>(parts);
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
