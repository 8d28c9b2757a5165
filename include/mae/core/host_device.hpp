#pragma once

/// Marks a function that a GPU may call too. Where no CUDA compiler reads it, it says nothing.
#if defined(__CUDACC__)
#define MAE_HOST_DEVICE __host__ __device__
#else
#define MAE_HOST_DEVICE
#endif
