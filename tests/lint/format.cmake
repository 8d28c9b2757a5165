# Checks that clang-format would change nothing.
#   cmake -D CLANG_FORMAT=<program> -D ROOT=<repository> -P format.cmake

foreach(folder IN ITEMS include c examples tests benchmarks)
  file(GLOB_RECURSE found ${ROOT}/${folder}/*.hpp ${ROOT}/${folder}/*.cpp ${ROOT}/${folder}/*.h
    ${ROOT}/${folder}/*.c ${ROOT}/${folder}/*.cuh ${ROOT}/${folder}/*.cu)
  list(APPEND files ${found})
endforeach()
execute_process(COMMAND ${CLANG_FORMAT} --dry-run -Werror ${files} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "Not formatted as .clang-format says")
endif()
