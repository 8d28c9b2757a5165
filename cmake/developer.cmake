# What holds only for people who work on mae itself, never for a project that includes it.

enable_testing()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Warnings are for the whole folder, so that they also reach the targets that verify the header set.
# All presets but release, which is for users, make them errors (CMAKE_COMPILE_WARNING_AS_ERROR).
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wconversion,-Wshadow>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Its own AVX-512 header is reported, GCC bug 105593; clang keeps both warnings.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized;-Wno-uninitialized>")
endif()
set_target_properties(mae PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON
  INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)

find_program(MAE_CCACHE ccache)
if(MAE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MAE_CCACHE})
endif()
