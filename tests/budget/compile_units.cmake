# Compiles the units of some objects as the build does, but for warnings, and throws the code away:
#
#   cmake -D COMMANDS=compile_commands.json -D OBJECTS=regex -D EXCEPT=regex -P compile_units.cmake

file(READ ${COMMANDS} commands)
string(JSON count LENGTH "${commands}")
math(EXPR last "${count} - 1")
set(compiled 0)
foreach(at RANGE ${last})
  string(JSON command GET "${commands}" ${at} command)
  if(NOT command MATCHES " -o [^ ]*(${OBJECTS})" OR command MATCHES " -o [^ ]*(${EXCEPT})")
    continue()
  endif()
  string(JSON folder GET "${commands}" ${at} directory)
  string(REGEX REPLACE " -W[^ ]*" "" command "${command}")
  string(REGEX REPLACE " -o [^ ]*" " -o /dev/null" command "${command}")
  separate_arguments(command UNIX_COMMAND "${command}")
  execute_process(COMMAND ${command} WORKING_DIRECTORY ${folder} COMMAND_ERROR_IS_FATAL ANY)
  math(EXPR compiled "${compiled} + 1")
endforeach()
if(compiled EQUAL 0)
  message(FATAL_ERROR "no unit of ${OBJECTS} in ${COMMANDS}")
endif()
message(STATUS "compiled ${compiled} units")
