# SPDX-License-Identifier: Apache-2.0
# trine_add_header_tests(TARGET LIBRARY): compiles every header alone, included twice: proves that it is self-contained and
# guarded.
function(trine_add_header_tests target library)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include
       ${PROJECT_SOURCE_DIR}/include/trine/*.hpp)
  if(NOT TARGET trine::pcre2)
    list(REMOVE_ITEM headers trine/text/pcre2_regex.hpp)
  endif()
  set(sources "")
  foreach(header IN LISTS headers)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${header}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include <${header}>\n#include <${header}>\n")
    list(APPEND sources ${source})
  endforeach()
  add_library(${target} OBJECT ${sources})
  target_link_libraries(${target} PRIVATE ${library} trine_warnings trine::eigen
                                          $<TARGET_NAME_IF_EXISTS:trine::pcre2>)
endfunction()
