# SPDX-License-Identifier: Apache-2.0
# Toolchain for 64-bit ARM on Debian and Ubuntu: the cross compiler of g++-aarch64-linux-gnu, programs run by qemu-user.
# -DCMAKE_CXX_COMPILER=... takes another compiler of that target.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
if(NOT CMAKE_CXX_COMPILER)
  find_program(TRINE_AARCH64_CXX NAMES aarch64-linux-gnu-g++ aarch64-linux-gnu-g++-14 aarch64-linux-gnu-g++-13
                                       aarch64-linux-gnu-g++-12 REQUIRED)
  set(CMAKE_CXX_COMPILER ${TRINE_AARCH64_CXX})
  string(REPLACE g++ gcc CMAKE_C_COMPILER ${TRINE_AARCH64_CXX})  # GoogleTest's build asks for one
endif()
find_program(TRINE_QEMU NAMES qemu-aarch64 qemu-aarch64-static REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${TRINE_QEMU} -L /usr/aarch64-linux-gnu)

set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
