# Checks the floors of DESIGN.md: a header includes only its own floor and those
# below it, in angle brackets; Eigen only in backend/eigen (eigen_map.hpp, fourier.hpp, least_squares.hpp,
# symmetric_eigen.hpp), Thrust only in backend/thrust, and CUDA only in backend/cuda.
#   cmake -D INCLUDE_DIR=<folder that holds mae/> -P check.cmake

set(floors core backend op data images patch mask objective network head model optimizer train io eval interop series)  # from the ground up

# What is wrong with the lines of one header; empty when nothing is.
function(violations_of header result)
  string(REGEX REPLACE "/.*" "" floor "${header}")
  list(FIND floors "${floor}" height)
  set(found "")
  if(height EQUAL -1)
    list(APPEND found "mae/${header}: '${floor}' is not a floor")
  endif()

  file(STRINGS ${INCLUDE_DIR}/mae/${header} includes REGEX "^[ \t]*#[ \t]*include")
  foreach(line IN LISTS includes)
    if(line MATCHES "\"")
      list(APPEND found "mae/${header}: includes with quotes: ${line}")
    elseif(line MATCHES "<mae/([^/>]+)[^>]*>")
      list(FIND floors "${CMAKE_MATCH_1}" included_height)
      if(included_height EQUAL -1 OR included_height GREATER height)
        list(APPEND found "mae/${header}: ${CMAKE_MATCH_1} is not below ${floor}: ${line}")
      endif()
    elseif(line MATCHES "<(unsupported/)?Eigen/" AND NOT header MATCHES "^backend/eigen/(eigen_map|fourier|least_squares|symmetric_eigen)[.]hpp$")
      list(APPEND found "mae/${header}: Eigen belongs to backend/eigen/eigen_map.hpp: ${line}")
    elseif(line MATCHES "<thrust/" AND NOT header MATCHES "^backend/thrust/")
      list(APPEND found "mae/${header}: Thrust belongs to backend/thrust: ${line}")
    endif()
    if(line MATCHES "<(cuda|cublas)|[.]cuh>" AND NOT header MATCHES "^backend/cuda/.*[.]cuh$")
      list(APPEND found "mae/${header}: CUDA belongs to backend/cuda, in a .cuh: ${line}")
    endif()
  endforeach()
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE headers RELATIVE ${INCLUDE_DIR}/mae ${INCLUDE_DIR}/mae/*.hpp ${INCLUDE_DIR}/mae/*.cuh)
list(FILTER headers INCLUDE REGEX "/")  # the umbrella headers stand above all floors
list(LENGTH headers count)
if(count EQUAL 0)
  message(FATAL_ERROR "No header below ${INCLUDE_DIR}/mae")
endif()

set(violations "")
foreach(header IN LISTS headers)
  violations_of(${header} found)
  list(APPEND violations ${found})
endforeach()
if(violations)
  list(JOIN violations "\n  " violations)
  message(FATAL_ERROR "The floors are not kept:\n  ${violations}")
endif()
message(STATUS "${count} headers keep the floors")
