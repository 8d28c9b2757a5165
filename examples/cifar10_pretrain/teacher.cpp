#include "teacher.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/model/frozen_teacher.hpp>
#include <mae/model/moving_teacher.hpp>

namespace pretrain {

mae::teacher open_teacher(mae::pretrained_model const& found, mae::index_t blocks) {
  return mae::frozen_teacher(mae::open_pretrained_encoder(found, mae::eigen_backend<float>(1)),
                             blocks);
}

mae::teacher follow_student(mae::model_config const& config,
                            mae::index_t blocks,
                            precision_choice precision) {
  if (precision == precision_choice::bf16)
    return mae::moving_teacher(config, mae::eigen_backend<mae::bfloat16>(1), blocks);
  return mae::moving_teacher(config, mae::eigen_backend<float>(1), blocks);
}

}  // namespace pretrain
