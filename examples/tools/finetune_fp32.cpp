#include "finetune_inputs.hpp"
#include "finetune_with.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>

namespace tools {

bool finetune_in_fp32(finetune_inputs const& in) {
  return finetune_with<mae::eigen_backend<float>>(in);
}

}  // namespace tools
