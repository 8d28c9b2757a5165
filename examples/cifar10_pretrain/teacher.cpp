#include "teacher.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/model/frozen_teacher.hpp>

namespace pretrain {

mae::teacher open_teacher(mae::pretrained_model const& found, mae::index_t blocks) {
  return mae::frozen_teacher(mae::open_pretrained_encoder(found, mae::eigen_backend<float>(1)),
                             blocks);
}

}  // namespace pretrain
