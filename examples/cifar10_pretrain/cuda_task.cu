#include "backend_task.hpp"

#include <mae/cuda.hpp>

namespace pretrain {
namespace {

template <class Operand>
std::unique_ptr<training_task> make(task_parts const& parts) {
  using backend = mae::cuda_backend<Operand>;
  backend const gpu(parts.threads, {.tf32 = parts.settings.precision == precision_choice::tf32});
  return std::make_unique<backend_task<backend>>(
      parts,
      gpu,
      compute_description{
          .backend = backend::name(), .precision = gpu.precision(), .device = gpu.device_name()});
}

}  // namespace

std::unique_ptr<training_task> make_cuda_task(task_parts const& parts) {
  if (parts.settings.precision == precision_choice::bf16) return make<mae::bfloat16>(parts);
  return make<float>(parts);
}

}  // namespace pretrain
