# SPDX-License-Identifier: Apache-2.0
# For cross builds on a machine that has the dependencies only for itself: targets for the header-only ones, and
# GoogleTest compiled from the sources that Debian and Ubuntu ship. Included by project() in the preset aarch64.
find_path(TRINE_HOST_EIGEN Eigen/Core PATH_SUFFIXES eigen3 NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_path(TRINE_HOST_JSON nlohmann/json.hpp NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_path(TRINE_HOST_GOOGLETEST googlemock/CMakeLists.txt PATHS /usr/src/googletest NO_DEFAULT_PATH
          NO_CMAKE_FIND_ROOT_PATH REQUIRED)

# /usr/include itself would put this machine's C library before the target's: a link to the one folder does not.
set(trine_host_headers ${CMAKE_BINARY_DIR}/host_headers)
file(MAKE_DIRECTORY ${trine_host_headers})
file(CREATE_LINK ${TRINE_HOST_JSON}/nlohmann ${trine_host_headers}/nlohmann SYMBOLIC)

add_library(Eigen3::Eigen INTERFACE IMPORTED GLOBAL)
target_include_directories(Eigen3::Eigen INTERFACE ${TRINE_HOST_EIGEN})
add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED GLOBAL)
target_include_directories(nlohmann_json::nlohmann_json INTERFACE ${trine_host_headers})

set(INSTALL_GTEST OFF)
set(CMAKE_POLICY_VERSION_MINIMUM 3.22)  # it asks for policies that CMake is about to forget
add_subdirectory(${TRINE_HOST_GOOGLETEST} ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
unset(CMAKE_POLICY_VERSION_MINIMUM)
