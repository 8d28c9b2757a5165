# Checks that a source is refused by the compiler with the sentence of its line "// expect: ...". A line
# "// flags: ..." names flags of the compiler that it is refused under.
#   cmake -D COMPILER=<c++> -D INCLUDE_DIRS=<folder|folder...> -D SOURCE=<file> -P check.cmake
# A source *.cu is compiled by nvcc, to -D OBJECT=<file>.

file(STRINGS ${SOURCE} line REGEX "^// expect: " LIMIT_COUNT 1)
string(REGEX REPLACE "^// expect: " "" sentence "${line}")
if(sentence STREQUAL "")
  message(FATAL_ERROR "${SOURCE} has no line '// expect: ...'")
endif()

file(STRINGS ${SOURCE} flags REGEX "^// flags: " LIMIT_COUNT 1)
string(REGEX REPLACE "^// flags: " "" flags "${flags}")
separate_arguments(flags)
set(stages -fsyntax-only)
if(SOURCE MATCHES "\\.cu$")
  set(stages -c -o ${OBJECT})  # some is refused by the assembler alone
endif()
string(REPLACE "|" ";-I" include_flags "-I${INCLUDE_DIRS}")
execute_process(
  COMMAND ${COMPILER} -std=c++20 ${stages} ${flags} ${include_flags} ${SOURCE}
  RESULT_VARIABLE result
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "Compiled, but must be refused:\n  ${SOURCE}\n  ${sentence}")
endif()
string(FIND "${output}" "${sentence}" position)
if(position EQUAL -1)
  message(NOTICE "${output}")
  message(FATAL_ERROR "Refused for another reason than\n  ${SOURCE}\n  ${sentence}")
endif()
message(STATUS "Refused with: ${sentence}")
