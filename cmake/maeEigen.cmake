# Finds Eigen of 3.4 or later, 5 as well as 3.4.0. Read by this project and by find_package(mae). No request
# of a version is met by both: Eigen's packages take no other major version than their own, and 3.4.0 no
# range that ends in one. So the first that is found is taken, and its version is looked at here.
# Leaves mae_eigen_problem empty, or a sentence.

set(mae_eigen_problem)
if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 QUIET NO_MODULE)
endif()
if(NOT TARGET Eigen3::Eigen)
  string(CONCAT mae_eigen_problem "mae needs Eigen 3.4 or later and finds none: install it (Debian: "
    "libeigen3-dev), or set Eigen3_DIR to the folder of its Eigen3Config.cmake")
elseif(Eigen3_VERSION AND Eigen3_VERSION VERSION_LESS 3.4)
  string(CONCAT mae_eigen_problem "mae needs Eigen 3.4 or later, ${Eigen3_DIR} has ${Eigen3_VERSION}: set "
    "Eigen3_DIR to the folder of a later one's Eigen3Config.cmake")
endif()
