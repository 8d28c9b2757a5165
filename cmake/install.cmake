# Headers, the target mae::mae, and what find_package(mae CONFIG) reads.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(mae_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/mae)

install(TARGETS mae EXPORT mae_targets FILE_SET HEADERS FILE_SET component_headers)
install(EXPORT mae_targets FILE maeTargets.cmake NAMESPACE mae:: DESTINATION ${mae_package_dir})

configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/maeConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/maeConfig.cmake
  INSTALL_DESTINATION ${mae_package_dir}
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break its users.
write_basic_package_version_file(
  ${CMAKE_CURRENT_BINARY_DIR}/maeConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/maeConfig.cmake
        ${CMAKE_CURRENT_BINARY_DIR}/maeConfigVersion.cmake
        ${CMAKE_CURRENT_LIST_DIR}/maeEigen.cmake
        ${CMAKE_CURRENT_LIST_DIR}/maeNative.cmake
        ${CMAKE_CURRENT_LIST_DIR}/maeComponents.cmake
        ${CMAKE_CURRENT_LIST_DIR}/maeThrust.cmake
        ${CMAKE_CURRENT_LIST_DIR}/maeCuda.cmake
        ${CMAKE_CURRENT_LIST_DIR}/maeImages.cmake
        ${CMAKE_CURRENT_LIST_DIR}/maeSeries.cmake
  DESTINATION ${mae_package_dir})
