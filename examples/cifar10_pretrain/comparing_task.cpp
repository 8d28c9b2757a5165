#include "processor_heads.hpp"
#include "processor_task.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>

namespace pretrain {

std::unique_ptr<training_task> make_comparing_task(task_parts const& parts) {
  if (parts.settings.precision == precision_choice::bf16)
    return make_processor_task<mae::eigen_backend<mae::bfloat16>>(parts);
  return make_processor_task<mae::eigen_backend<float>>(parts);
}

}  // namespace pretrain
