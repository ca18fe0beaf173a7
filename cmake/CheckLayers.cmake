# SPDX-License-Identifier: Apache-2.0
# Are the folders of include/trine layers, and includes free of cycles? Reads every header and fails naming the arrow that
# should not be there.
#   cmake [-D INCLUDE_DIR=...] -P cmake/CheckLayers.cmake
cmake_minimum_required(VERSION 3.22)
if(NOT DEFINED INCLUDE_DIR)
  set(INCLUDE_DIR ${CMAKE_CURRENT_LIST_DIR}/../include)
endif()

# layer_X: what X may include beside itself. Topological order.
set(layer_core "")
set(layer_interop core)  # Eigen users; the one place with Eigen types
set(layer_platform core)
set(layer_json core platform)
set(layer_quant core platform)
set(layer_kernels core platform quant)
set(layer_weights core platform json quant)
set(layer_cache core platform quant)
set(layer_nn core platform quant kernels weights cache)
set(layer_routing core platform json kernels weights nn)
set(layer_attention core platform quant kernels weights nn cache)
set(layer_experts core platform kernels weights nn routing attention)
set(layer_model core platform json quant kernels weights nn cache routing attention experts)
set(layer_text core platform json weights)
set(layer_adapters core platform json quant kernels weights nn model text)
set(layer_quantize core platform json quant kernels weights nn model text generate)
set(layer_generate core adapters platform json kernels weights cache routing model text)
set(layer_stats core json routing)
set(layer_parallel core json routing experts)
set(layer_serve core platform json cache model text generate stats)

# A regular expression, the only file or folder where it may match (empty: none), and why.
set(rules
  "#[ \t]*pragma[ \t]+omp|<omp\\.h>"       "platform/openmp_executor.hpp"  "OpenMP lives in platform/openmp_executor.hpp"
  "<Eigen/"                                "interop/"                   "Eigen types stay in interop/"
  "[jJ]son::(parse|sax_parse|accept|from_)"  "json/"                    "JSON is read through json/"
  "std::(cout|cerr|clog)|<iostream>|[^a-z_]f?printf *\\("  ""           "the library never prints"
  "[^a-zA-Z0-9_.>](abort|exit|quick_exit|_Exit|terminate) *\\("  ""     "the library never ends the process"
  "[^a-zA-Z0-9_]assert *\\(|<cassert>"     ""                           "an assertion is a crash"
  "[\n ]namespace *{"                      ""                           "no unnamed namespace in a header"
  "\nstatic "                              ""                           "no namespace-scope static in a header"
  "<regex>"                                ""                           "std::regex recurses per character"
  "kQ[2-8][^a-zA-Z]|k(Iq|Tq)[1-4]|kBf16Panels|kMxfp4|kGgml[MN]|kFp8Format"  "(quant|kernels)/"   "others ask the table of quant/weight_formats.hpp"
  "[dD]eep[sS]eek|[qQ]wen|[mM]i[xs]tral|[gG]pt_?[oO]ss|[oO]lmoe|[kK]imi|[^x][lL]lama[^.]"  "model/architectures/|text/tokenizer/gguf_"  "a model's name stands in its builder")

file(GLOB_RECURSE headers RELATIVE ${INCLUDE_DIR}/trine ${INCLUDE_DIR}/trine/*.hpp ${INCLUDE_DIR}/trine/*.inl)
set(problems "")
foreach(header IN LISTS headers)
  file(READ ${INCLUDE_DIR}/trine/${header} text)
  if(NOT text MATCHES "^// SPDX-License-Identifier: Apache-2.0\n")
    list(APPEND problems "${header}: the first line is not its SPDX licence")
  endif()
  string(REGEX REPLACE "//[^\n]*" "" code "${text}")  # what comments say is free

  set(edges_${header} "")
  string(REGEX MATCHALL "#include [<\"]trine/[^>\"\n]+" includes "${code}")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "#include [<\"]trine/" "" include "${include}")
    cmake_path(GET header STEM from)
    cmake_path(GET include STEM to)
    if(NOT (header MATCHES "\\.inl$" AND from STREQUAL to))  # definitions include the header that includes them
      list(APPEND edges_${header} ${include})
    endif()
  endforeach()

  if(header MATCHES "^([^/]+)/")
    set(layer ${CMAKE_MATCH_1})
    if(NOT DEFINED layer_${layer})
      list(APPEND problems "${header}: folder ${layer} is not a layer that cmake/CheckLayers.cmake knows")
    endif()
    string(REGEX MATCHALL "#include [<\"][^>\"\n]+" includes "${code}")
    foreach(include IN LISTS includes)
      string(REGEX REPLACE "#include [<\"]" "" include "${include}")
      if(include MATCHES "^trine/([^/]+)/")
        set(other ${CMAKE_MATCH_1})
        if(NOT other STREQUAL layer AND NOT other IN_LIST layer_${layer})
          list(APPEND problems "${header}: ${layer} -> ${other} is not allowed (${include})")
        endif()
      elseif(include STREQUAL "trine/trine.hpp")
        list(APPEND problems "${header}: ${layer} -> trine.hpp, the umbrella, is not allowed")
      endif()
    endforeach()
  endif()

  list(LENGTH rules count)
  math(EXPR last "${count} - 1")
  foreach(i RANGE 0 ${last} 3)
    math(EXPR j "${i} + 1")
    math(EXPR k "${i} + 2")
    list(GET rules ${i} pattern)
    list(GET rules ${j} home)
    list(GET rules ${k} reason)
    string(LENGTH "${home}" length)
    if(length AND header MATCHES "^${home}")
      continue()
    endif()
    if(code MATCHES "${pattern}")
      string(STRIP "${CMAKE_MATCH_0}" found)
      list(APPEND problems "${header}: ${reason} (${found})")
    endif()
  endforeach()
endforeach()

# What includes nothing that is left cannot be in a cycle. Without cycles a header that compiles alone for those who link
# trine::compiled also does for those who have the headers only, once the .inl behind it does: the contract tests rely on that.
set(left ${headers})
set(before "")
while(NOT "${left}" STREQUAL "${before}")
  set(before "${left}")
  foreach(header IN LISTS before)
    set(waiting FALSE)
    foreach(include IN LISTS edges_${header})
      if(include IN_LIST left)
        set(waiting TRUE)
        break()
      endif()
    endforeach()
    if(NOT waiting)
      list(REMOVE_ITEM left ${header})
    endif()
  endforeach()
endwhile()
if(left)
  list(JOIN left ", " left)
  list(APPEND problems "these include each other in a cycle, or include such: ${left}")
endif()

list(LENGTH headers count)
if(problems)
  list(JOIN problems "\n  " problems)
  message(FATAL_ERROR "${problems}")
endif()
message(STATUS "${count} headers keep the order of layers")
