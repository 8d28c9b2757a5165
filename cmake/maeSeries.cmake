# The target of the optional component series, mae::series: what mae/series.hpp needs, which is the library
# alone. Read by this project and by find_package(mae COMPONENTS series).

if(NOT TARGET mae::series)
  add_library(mae::series INTERFACE IMPORTED)
  target_link_libraries(mae::series INTERFACE mae::mae)
endif()
