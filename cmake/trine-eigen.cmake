# SPDX-License-Identifier: Apache-2.0
# Defines trine::eigen, what trine/interop/eigen.hpp needs, where Eigen 3 is: its target Eigen3::Eigen, or what
# find_package finds. Used by trine's own build and, installed, by find_package(trine COMPONENTS eigen).

if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 QUIET NO_MODULE)
endif()
if(TARGET Eigen3::Eigen AND NOT TARGET trine::eigen)
  add_library(trine::eigen INTERFACE IMPORTED GLOBAL)
  set_target_properties(trine::eigen PROPERTIES INTERFACE_LINK_LIBRARIES "trine::trine;Eigen3::Eigen")
endif()
