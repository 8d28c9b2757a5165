# The target mae::native: every instruction that the building machine has. A program of it runs on that
# machine's like only. Read by this project and by find_package(mae).

set(mae_native_flags -march=native)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  # Compilers take half a register of AVX-512 for their own loops unless told otherwise.
  list(APPEND mae_native_flags -mprefer-vector-width=512)
endif()
if(NOT TARGET mae::native)
  add_library(mae::native INTERFACE IMPORTED GLOBAL)
  target_compile_options(mae::native INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang,AppleClang>:${mae_native_flags}>"
    "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-Xcompiler=$<JOIN:${mae_native_flags},$<COMMA>>>")
endif()
