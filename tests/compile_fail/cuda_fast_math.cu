// expect: mae_must_be_compiled_without_use_fast_math
// flags: --use_fast_math --expt-relaxed-constexpr -arch=sm_80
#include <mae/backend/cuda/launch.cuh>

struct halve {
  float* values;
  __device__ void operator()(mae::index_t i) const { values[i] *= 0.5F; }
};

void halve_all(float* values, mae::index_t count) {
  mae::cuda::kernels::run_each<<<1, 256>>>(count, halve{values});
}
