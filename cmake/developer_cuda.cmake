# Enables CUDA for the tests, examples and benchmarks of this project, where nvcc is found.

include(CheckLanguage)
find_package(CUDAToolkit 12.0 QUIET)
if(CUDAToolkit_FOUND AND NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS ${CUDAToolkit_BIN_DIR})
endif()
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  # The tests compile for every architecture that is meant to work, so that none spills; a program
  # for the first alone, in a form that the driver translates for later ones.
  set(MAE_CUDA_PROGRAM_ARCHITECTURES ${CMAKE_CUDA_ARCHITECTURES})
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100)
    set(MAE_CUDA_PROGRAM_ARCHITECTURES 80)
  endif()
  enable_language(CUDA)
  include(cmake/maeCuda.cmake)
  # Registers, spills and shared memory of every kernel are reported; spills are an error.
  string(APPEND CMAKE_CUDA_FLAGS " -Xptxas=--warn-on-spills,-v")
endif()
