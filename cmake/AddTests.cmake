# SPDX-License-Identifier: Apache-2.0
# trine_add_tests(FOLDER): all FOLDER/**/*_test.cpp as one program, trine_FOLDER_tests, one ctest entry a TEST.
#   "PerIsa" in a test's name    registers it once for each instruction set, label per_isa
#   "Concurrency" in it          label concurrency, which is what runs under ThreadSanitizer
# Every test also has the label FOLDER.
#
# Files are compiled in groups, because reading headers takes longer than the tests in most of them. A name in an anonymous
# namespace that another file of the folder has, too, does not compile then: rename it, or list the file in TRINE_TESTS_ALONE.
include(GoogleTest)

option(TRINE_UNITY_TESTS "Compile the files of a folder of tests in groups" OFF)
set(TRINE_TESTS_WITH "" CACHE STRING "Only build files of tests that contain this regular expression")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(trine_isas portable neon neon_dotprod)
else()
  set(trine_isas portable avx2 avx512 avx512_vnni avx512_bf16 amx)
endif()

function(trine_discover_tests target)
  cmake_parse_arguments(ARG "" "NAME;PREFIX;FILTER;LABELS;ENVIRONMENT" "" ${ARGN})
  gtest_discover_tests(${target} TEST_LIST ${target}_${ARG_NAME} TEST_PREFIX ${ARG_PREFIX} TEST_FILTER ${ARG_FILTER}
                       DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
                       PROPERTIES LABELS "${ARG_LABELS}" ENVIRONMENT "${ARG_ENVIRONMENT}" TIMEOUT 300)
endfunction()

function(trine_add_tests folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}
       ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_test.cpp)
  if(TRINE_TESTS_WITH)
    foreach(source IN LISTS sources)
      file(STRINGS ${source} found REGEX "${TRINE_TESTS_WITH}" LIMIT_COUNT 1)
      if(NOT found)
        list(REMOVE_ITEM sources ${source})
      endif()
    endforeach()
  endif()
  if(NOT sources)
    return()
  endif()
  set(target trine_${folder}_tests)
  add_executable(${target} ${sources} $<TARGET_OBJECTS:trine_test_support_objects>)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
                                             UNITY_BUILD ${TRINE_UNITY_TESTS} UNITY_BUILD_BATCH_SIZE 8)
  target_link_libraries(${target} PRIVATE trine_test_support)
  target_precompile_headers(${target} REUSE_FROM trine_test_support_objects)

  trine_discover_tests(${target} NAME plain PREFIX ${folder}/ FILTER "*-*PerIsa*:*Concurrency*" LABELS ${folder})
  trine_discover_tests(${target} NAME concurrency PREFIX ${folder}/ FILTER "*Concurrency*-*PerIsa*"
                       LABELS "${folder}$<SEMICOLON>concurrency")
  foreach(isa IN LISTS trine_isas)
    trine_discover_tests(${target} NAME ${isa} PREFIX ${folder}/${isa}/ FILTER "*PerIsa*"
                         LABELS "${folder}$<SEMICOLON>per_isa" ENVIRONMENT TRINE_ISA=${isa})
  endforeach()
endfunction()
