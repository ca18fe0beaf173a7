# SPDX-License-Identifier: Apache-2.0
# trine_add_tests(FOLDER): all FOLDER/**/*_test.cpp as one program, trine_FOLDER_tests, which runs as few processes: starting
# one takes longer than most tests. What a test's name contains decides where it runs (RegisterTests.cmake):
#   "PerIsa"         once for each instruction set, entries FOLDER/ISA, label per_isa
#   "Concurrency"    entry FOLDER/concurrency, label concurrency, which is what runs under ThreadSanitizer
#   neither          entries FOLDER/1, FOLDER/2, ...
# Every entry also has the label FOLDER. Programs write what they ran to test_results/ (tests/summary.sh).
#
# Files are compiled in groups, because reading headers takes longer than the tests in most of them. A name in an anonymous
# namespace that another file of the folder has, too, does not compile then: rename it, or list the file in TRINE_TESTS_ALONE.
option(TRINE_UNITY_TESTS "Compile the files of a folder of tests in groups" OFF)
set(TRINE_TESTS_WITH "" CACHE STRING "Only build files of tests that contain this regular expression")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(trine_isas portable neon neon_dotprod)
else()
  set(trine_isas portable avx2 avx512 avx512_vnni avx512_bf16 amx)
endif()
set(trine_register_tests ${CMAKE_CURRENT_LIST_DIR}/RegisterTests.cmake)

# Entries for all tests of a program, made when CTest starts.
function(trine_register_program target folder)
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${target}_register.cmake)
  file(GENERATE OUTPUT ${script} CONTENT "
set(folder [[${folder}]])
set(program [[$<TARGET_FILE:${target}>]])
set(emulator [[${CMAKE_CROSSCOMPILING_EMULATOR}]])
set(results [[${PROJECT_BINARY_DIR}/test_results]])
set(isas [[${trine_isas}]])
include([[${trine_register_tests}]])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${script})
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
  trine_register_program(${target} ${folder})
endfunction()
