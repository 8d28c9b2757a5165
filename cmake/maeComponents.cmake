# The optional components: thrust (targets mae::thrust, mae::thrust_omp, mae::thrust_tbb), cuda (mae::cuda),
# images (mae::images) and series (mae::series). Read by this project, for MAE_COMPONENTS, and by
# find_package(mae COMPONENTS ...).

set(mae_thrust_needs "Thrust 1.17 or later: the CUDA Toolkit, or Debian's libthrust-dev")
set(mae_cuda_needs "the CUDA Toolkit, 12.0 or later")
set(mae_images_needs "libpng and libjpeg-turbo: Debian's libpng-dev and libjpeg-dev")
set(mae_series_needs "nothing but mae itself")
set(mae_components_dir ${CMAKE_CURRENT_LIST_DIR})

# Makes a component's targets. `problem` becomes a sentence where that cannot be, and empty otherwise. A
# macro, so that the packages which the component finds are found for the caller, too.
macro(mae_find_component component problem)
  set(${problem})
  if(NOT DEFINED mae_${component}_needs)
    set(${problem} "mae has no component ${component}; it has images, series, thrust and cuda")
  else()
    string(SUBSTRING ${component} 0 1 mae_component_initial)
    string(SUBSTRING ${component} 1 -1 mae_component_rest)
    string(TOUPPER ${mae_component_initial} mae_component_initial)
    include(${mae_components_dir}/mae${mae_component_initial}${mae_component_rest}.cmake)
    if(NOT TARGET mae::${component})
      set(${problem} "the component ${component} needs ${mae_${component}_needs}")
    endif()
  endif()
endmacro()
