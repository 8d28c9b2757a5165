# Targets of the optional component thrust: mae::thrust (one thread), mae::thrust_omp and
# mae::thrust_tbb, as far as what they need is there. Thrust is the CUDA Toolkit's (CCCL), or
# Debian's libthrust-dev. Read by this project and by find_package(mae COMPONENTS thrust).

find_package(CUDAToolkit QUIET)
find_package(CCCL CONFIG QUIET HINTS "${CUDAToolkit_LIBRARY_DIR}/cmake")
if(NOT CCCL_FOUND)
  find_package(Thrust CONFIG QUIET)
endif()
if(COMMAND thrust_create_target AND NOT TARGET mae::thrust)
  thrust_create_target(mae_thrust_host HOST CPP DEVICE CPP)
  add_library(mae::thrust INTERFACE IMPORTED)
  target_link_libraries(mae::thrust INTERFACE mae::mae mae_thrust_host)

  find_package(OpenMP QUIET COMPONENTS CXX)
  if(OpenMP_CXX_FOUND)
    add_library(mae::thrust_omp INTERFACE IMPORTED)
    target_link_libraries(mae::thrust_omp INTERFACE mae::thrust OpenMP::OpenMP_CXX)
  endif()
  find_package(TBB CONFIG QUIET)
  if(TBB_FOUND)
    add_library(mae::thrust_tbb INTERFACE IMPORTED)
    target_link_libraries(mae::thrust_tbb INTERFACE mae::thrust TBB::tbb)
  endif()
endif()
