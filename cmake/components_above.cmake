# Makes the components of MAE_COMPONENTS for the project that adds this one as a subfolder: targets that are
# found are seen in their own folder and below unless they are made global.

include(${CMAKE_CURRENT_LIST_DIR}/maeComponents.cmake)
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
foreach(component IN LISTS MAE_COMPONENTS)
  mae_find_component(${component} problem)
  if(problem)
    message(FATAL_ERROR "MAE_COMPONENTS: ${problem}")
  endif()
endforeach()
unset(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
foreach(target IN ITEMS images series thrust thrust_omp thrust_tbb cuda)
  if(TARGET mae::${target})
    set_target_properties(mae::${target} PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
endforeach()
