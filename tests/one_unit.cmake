# With MAE_TESTS_AS_ONE_UNIT a test program is compiled as one translation unit: what its files share
# (Eigen, a model's network) is read and instantiated once. Whoever works on one file leaves it off.
option(MAE_TESTS_AS_ONE_UNIT "Compile each test program as one translation unit" OFF)

# As CMake's unity builds are, but each file stands in a namespace of its own, so that names which two
# of them give away do not meet, after all that any of them includes. A file that defines what no
# namespace may hold is left out by its property SKIP_UNITY_BUILD_INCLUSION.
function(as_one_unit target)
  if(NOT MAE_TESTS_AS_ONE_UNIT)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  set(includes "")
  foreach(source IN LISTS sources)
    get_source_file_property(is_alone ${source} SKIP_UNITY_BUILD_INCLUSION)
    if(NOT is_alone)
      file(STRINGS ${source} lines REGEX "^#include ")
      list(APPEND includes ${lines})
      cmake_path(ABSOLUTE_PATH source)
      cmake_path(GET source PARENT_PATH folder)
    endif()
  endforeach()
  list(REMOVE_DUPLICATES includes)
  list(JOIN includes "\n" includes)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/includes_of_${target}.hpp)
  file(CONFIGURE OUTPUT ${header} CONTENT "#pragma once\n${includes}\n" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources})
  target_include_directories(${target} PRIVATE ${folder})
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD ON
    UNITY_BUILD_BATCH_SIZE 0
    UNITY_BUILD_UNIQUE_ID MAE_TEST_FILE
    UNITY_BUILD_CODE_BEFORE_INCLUDE "#include \"${header}\"\nnamespace MAE_TEST_FILE {"
    UNITY_BUILD_CODE_AFTER_INCLUDE "}  // namespace MAE_TEST_FILE")
endfunction()
