#include "backend_task.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/build_info.hpp>

namespace pretrain {
namespace {

template <class Operand>
std::unique_ptr<training_task> make(task_parts const& parts) {
  using backend = mae::eigen_backend<Operand>;
  return std::make_unique<backend_task<backend>>(
      parts,
      backend(parts.threads),
      compute_description{.backend = backend::name(),
                          .precision = backend::precision(),
                          .device = mae::isa_name,
                          .is_emulated = !mae::has_fast_products<Operand>,
                          .uses_processor = true});
}

}  // namespace

std::unique_ptr<training_task> make_eigen_task(task_parts const& parts) {
  if (parts.settings.precision == precision_choice::bf16) return make<mae::bfloat16>(parts);
  return make<float>(parts);
}

}  // namespace pretrain
