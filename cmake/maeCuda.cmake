# The target of the optional component cuda, mae::cuda: what a .cu file that includes mae/cuda.hpp
# needs. Read by this project and by find_package(mae COMPONENTS cuda).

find_package(CUDAToolkit 12.0 QUIET)
if(CUDAToolkit_FOUND AND NOT TARGET mae::cuda)
  add_library(mae::cuda INTERFACE IMPORTED)
  target_link_libraries(mae::cuda INTERFACE mae::mae CUDA::cudart CUDA::cublasLt)
  # CMake before 3.25.2 knows no C++20 for nvcc; constexpr functions are called on the device.
  target_compile_options(mae::cuda INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-std=c++20;--expt-relaxed-constexpr>")
endif()
