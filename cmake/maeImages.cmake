# The target of the optional component images, mae::images: what mae/images.hpp needs to read
# pictures. libpng, and the TurboJPEG interface of libjpeg-turbo (Debian's libturbojpeg0-dev). Read by
# this project and by find_package(mae COMPONENTS images).

find_package(PNG QUIET)
find_path(MAE_TURBOJPEG_INCLUDE_DIR turbojpeg.h)
find_library(MAE_TURBOJPEG_LIBRARY turbojpeg)
mark_as_advanced(MAE_TURBOJPEG_INCLUDE_DIR MAE_TURBOJPEG_LIBRARY)
if(PNG_FOUND AND MAE_TURBOJPEG_INCLUDE_DIR AND MAE_TURBOJPEG_LIBRARY AND NOT TARGET mae::images)
  add_library(mae::images INTERFACE IMPORTED)
  target_link_libraries(mae::images INTERFACE mae::mae PNG::PNG ${MAE_TURBOJPEG_LIBRARY})
  target_include_directories(mae::images INTERFACE ${MAE_TURBOJPEG_INCLUDE_DIR})
endif()
