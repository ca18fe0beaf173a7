# SPDX-License-Identifier: Apache-2.0
# trine_add_bench(FOLDER): all FOLDER/**/*_bench.cpp as one Google Benchmark program, trine_FOLDER_bench, beside the
# other programs. Run it with --benchmark_format=json for machine-readable numbers.
function(trine_add_bench folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_bench.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(trine_${folder}_bench ${sources})
  target_link_libraries(trine_${folder}_bench PRIVATE trine::compiled trine_warnings benchmark::benchmark_main)
endfunction()
