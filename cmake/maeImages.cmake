# The target of the optional component images, mae::images: what mae/images.hpp needs to read
# pictures. libpng and libjpeg-turbo (or another libjpeg; Debian's libjpeg-dev). Read by this project
# and by find_package(mae COMPONENTS images).

find_package(PNG QUIET)
find_package(JPEG QUIET)
if(PNG_FOUND AND JPEG_FOUND AND NOT TARGET mae::images)
  add_library(mae::images INTERFACE IMPORTED)
  target_link_libraries(mae::images INTERFACE mae::mae PNG::PNG JPEG::JPEG)
endif()
