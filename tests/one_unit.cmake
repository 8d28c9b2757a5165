# With MAE_TESTS_AS_ONE_UNIT the sources of a test program are compiled together, which takes a third
# of the time: what they share (Eigen, a model's network) is read and instantiated once. Whoever works
# on one test file leaves it off.
option(MAE_TESTS_AS_ONE_UNIT "Compile each test program's sources as one translation unit" OFF)

# Sets `result` to the sources that a program `name` is made of. Each file stands in a namespace of its
# own, so that names which two of them give away do not meet; what they include stands before all. A
# file that defines what no namespace may hold says so in a line, and stays a unit.
function(as_one_unit name sources result)
  if(NOT MAE_TESTS_AS_ONE_UNIT)
    set(${result} ${sources} PARENT_SCOPE)
    return()
  endif()
  set(includes "")
  set(bodies "")
  set(alone "")
  foreach(source IN LISTS sources)
    file(STRINGS ${source} says_so REGEX "^// Always a unit of its own:")
    if(says_so)
      list(APPEND alone ${source})
      continue()
    endif()
    file(STRINGS ${source} lines REGEX "^#include ")
    list(APPEND includes ${lines})
    cmake_path(GET source STEM stem)
    string(APPEND bodies "namespace unit_${stem} {\n#include \"${source}\"\n}\n")
  endforeach()
  list(REMOVE_DUPLICATES includes)
  list(JOIN includes "\n" includes)
  set(unit ${CMAKE_CURRENT_BINARY_DIR}/units/${name}.cpp)
  file(CONFIGURE OUTPUT ${unit} CONTENT "${includes}\n${bodies}" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources})
  set(${result} ${unit} ${alone} PARENT_SCOPE)
endfunction()
