# SPDX-License-Identifier: Apache-2.0
# The headers, compiled for their own sake. Most of a header's cost is reading what it includes, so each is compiled alone
# once: what else could differ is seen when all are read together. Headers that include a large one are compiled after it,
# precompiled. That is the same as alone: what they declare comes after what they include in any case, the large header and the
# others that they include are compiled alone, and includes have no cycle (CheckLayers.cmake). Where an .inl behind a header
# includes the large one, that holds for the definitions, and the form with trine::compiled has the declarations.
#
#   trine_add_header_tests(TARGET LIBRARY HEADER... LARGE HEADER...)    each alone, included twice: it is self-contained and
#                                                                       guarded. LARGE: what may come first, the largest first
#   trine_add_headers_together(TARGET LIBRARY)          all in one file, in alphabetical order and in another backwards
#
# trine_headers: all headers.     trine_defining_headers: those that bring an .inl unless trine::compiled has it.
file(GLOB_RECURSE trine_headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include
     ${PROJECT_SOURCE_DIR}/include/trine/*.hpp)
if(NOT TARGET trine::pcre2)
  list(REMOVE_ITEM trine_headers trine/text/tokenizer/pcre2_regex.hpp)
endif()
list(SORT trine_headers)
set(trine_defining_headers "")
foreach(header IN LISTS trine_headers)
  file(STRINGS ${PROJECT_SOURCE_DIR}/include/${header} inl REGEX "^#if TRINE_HEADER_ONLY" LIMIT_COUNT 1)
  if(inl)
    list(APPEND trine_defining_headers ${header})
  endif()
endforeach()

function(trine_add_header_objects target library)  # sources: the rest
  add_library(${target} OBJECT ${ARGN})
  target_link_libraries(${target} PRIVATE ${library} trine_warnings trine::eigen
                                          $<TARGET_NAME_IF_EXISTS:trine::pcre2>)
endfunction()

# All headers that include HEADER, through others or not; without trine::compiled also through an .inl behind them.
function(trine_find_includers variable header library)
  set(found ${header})
  set(before "")
  while(NOT "${found}" STREQUAL "${before}")
    set(before "${found}")
    list(JOIN found "|" pattern)
    foreach(other IN LISTS trine_headers)
      set(files ${PROJECT_SOURCE_DIR}/include/${other})
      string(REGEX REPLACE "hpp$" "inl" inl ${files})
      if(library STREQUAL trine::trine AND EXISTS ${inl})
        list(APPEND files ${inl})
      endif()
      foreach(file IN LISTS files)
        file(STRINGS ${file} includes REGEX "^#include <(${pattern})>" LIMIT_COUNT 1)
        if(includes AND NOT other IN_LIST found)
          list(APPEND found ${other})
        endif()
      endforeach()
    endforeach()
  endwhile()
  list(REMOVE_ITEM found ${header})
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

function(trine_add_header_tests target library)
  cmake_parse_arguments(ARG "" "" "LARGE" ${ARGN})
  set(left ${ARG_UNPARSED_ARGUMENTS})
  foreach(large IN LISTS ARG_LARGE ITEMS "")
    set(headers ${left})
    set(group ${target})
    if(large)
      trine_find_includers(includers ${large} ${library})
      list(REMOVE_ITEM left ${includers})
      list(REMOVE_ITEM headers ${left})
      string(REGEX REPLACE "[^a-z0-9]" "_" group ${target}_after_${large})
    endif()
    set(sources "")
    foreach(header IN LISTS headers)
      set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}/${header}.cpp)
      file(CONFIGURE OUTPUT ${source} CONTENT "#include <${header}>\n#include <${header}>\n")
      list(APPEND sources ${source})
    endforeach()
    trine_add_header_objects(${group} ${library} ${sources})
    if(large)
      target_precompile_headers(${group} PRIVATE <${large}>)
    endif()
  endforeach()
endfunction()

function(trine_add_headers_together target library)
  set(sources "")
  set(headers ${trine_headers})
  foreach(order forwards backwards)
    list(JOIN headers ">\n#include <" includes)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}/${order}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include <${includes}>\n")
    list(APPEND sources ${source})
    list(REVERSE headers)
  endforeach()
  trine_add_header_objects(${target} ${library} ${sources})
endfunction()
