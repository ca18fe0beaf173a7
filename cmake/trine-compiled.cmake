# SPDX-License-Identifier: Apache-2.0
# Defines trine::compiled: trine with kernels, architectures and readers compiled once, as a static library of the project
# that uses it and with its flags, rather than in every file. Used by trine's own build and, installed, by
# find_package(trine COMPONENTS compiled).

# One more such library, for targets with flags of their own.
function(trine_add_compiled_library target)
  set(folder ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../src)
  if(NOT EXISTS ${folder})
    set(folder ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/src)  # installed
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${sources})
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # a shared library may hold it
  target_compile_definitions(${target} PUBLIC TRINE_COMPILED_LIB)
  target_link_libraries(${target} PUBLIC trine::trine)
endfunction()

if(NOT TARGET trine::compiled)
  trine_add_compiled_library(trine_compiled)
  add_library(trine::compiled ALIAS trine_compiled)
endif()
