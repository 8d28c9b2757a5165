#include "training_task.hpp"

namespace pretrain {

std::unique_ptr<training_task> make_task(task_parts const& parts) {
  switch (parts.settings.backend) {
#ifdef PRETRAIN_HAS_THRUST
    case backend_choice::thrust_cpp:
    case backend_choice::thrust_omp:
    case backend_choice::thrust_tbb:
      return make_thrust_task(parts);
#endif
#ifdef PRETRAIN_HAS_CUDA
    case backend_choice::cuda:
      return make_cuda_task(parts);
#endif
    default:
      if (parts.settings.decoder == decoder_choice::cross) return make_cross_task(parts);
      return parts.settings.learns_beside() ? make_comparing_task(parts) : make_eigen_task(parts);
  }
}

}  // namespace pretrain
