# SPDX-License-Identifier: Apache-2.0
# What the programs share. Each program's CMakeLists.txt includes this, inside trine's own build (where trine::trine is
# there already) and as a project of its own (where find_package finds an installed trine).
if(NOT TARGET trine::pcre2)
  find_package(trine REQUIRED COMPONENTS pcre2)
endif()
if(NOT TARGET CLI11::CLI11)
  find_package(CLI11 REQUIRED)
endif()
if(NOT TARGET trine_example_common)
  find_package(Threads REQUIRED)
  add_library(trine_example_common STATIC ${CMAKE_CURRENT_LIST_DIR}/interrupt.cpp ${CMAKE_CURRENT_LIST_DIR}/output_file.cpp
              ${CMAKE_CURRENT_LIST_DIR}/program.cpp ${CMAKE_CURRENT_LIST_DIR}/terminal.cpp)
  target_include_directories(trine_example_common PUBLIC ${CMAKE_CURRENT_LIST_DIR}/..)
  target_link_libraries(trine_example_common PUBLIC trine::pcre2 CLI11::CLI11 Threads::Threads)
endif()
