#include "finetune_inputs.hpp"
#include "finetune_with.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>

namespace tools {

bool finetune_in_bf16(finetune_inputs const& in) {
  return finetune_with<mae::eigen_backend<mae::bfloat16>>(in);
}

}  // namespace tools
