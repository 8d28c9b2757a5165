# Checks that mae in a tree and an installed mae take Eigen 3.4 and 5, and say what is wrong with others. The
# versions are stood in for by packages that accept requests as Eigen's own do.
#   cmake -D PACKAGE_DIR=<this folder> -D MAE_SOURCE_DIR=<folder> -D PREFIX=<installed mae> -D WORK_DIR=<folder>
#     -D GENERATOR=<name> -D COMPILER=<c++> -P eigen_versions.cmake

include(CMakePackageConfigHelpers)

function(configure_with eigen_dir project build_dir result output)
  file(REMOVE_RECURSE ${build_dir})
  execute_process(
    COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${PACKAGE_DIR}/${project} -B ${build_dir}
      -D CMAKE_CXX_COMPILER=${COMPILER} -D Eigen3_DIR=${eigen_dir}
      -D MAE_SOURCE_DIR=${MAE_SOURCE_DIR} -D CMAKE_PREFIX_PATH=${PREFIX}
    RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text)
  file(READ ${build_dir}/CMakeCache.txt cache)
  if(status EQUAL 0 AND NOT cache MATCHES "Eigen3_DIR:[A-Z]+=${eigen_dir}\n")
    message(FATAL_ERROR "${project}: another Eigen was taken than ${eigen_dir}")
  endif()
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  set(${result} ${status} PARENT_SCOPE)
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

foreach(version IN ITEMS 3.3.9 3.4.0 3.4.1 5.0.0 5.0.1)
  set(eigen_dir ${WORK_DIR}/eigen-${version})
  file(WRITE ${eigen_dir}/Eigen3Config.cmake "add_library(Eigen3::Eigen INTERFACE IMPORTED)\n")
  write_basic_package_version_file(${eigen_dir}/Eigen3ConfigVersion.cmake
    VERSION ${version} COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
  foreach(project IN ITEMS find_package add_subdirectory)
    configure_with(${eigen_dir} ${project} ${WORK_DIR}/${project}-${version} status output)
    if(version VERSION_LESS 3.4)
      set(expected "mae needs Eigen 3.4 or later, ${eigen_dir} has ${version}: set Eigen3_DIR")
      string(FIND "${output}" "${expected}" position)
      if(status EQUAL 0 OR position EQUAL -1)
        message(FATAL_ERROR "${project} does not refuse Eigen ${version} with '${expected}':\n${output}")
      endif()
    elseif(NOT status EQUAL 0)
      message(FATAL_ERROR "${project} refuses Eigen ${version}:\n${output}")
    endif()
  endforeach()
endforeach()
message(STATUS "Eigen 3.4 and 5 are taken, 3.3 is refused")
