# SPDX-License-Identifier: Apache-2.0
# Warnings as errors for our own programs. Linked PRIVATE by tests, benches and examples, never by the library itself.

option(TRINE_WARNINGS_AS_ERRORS "Stop our own build at a warning" ${PROJECT_IS_TOP_LEVEL})

add_library(trine_warnings INTERFACE)
target_compile_options(trine_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast -Wextra-semi
  # GCC 12 sees overlapping copies in `"literal" + std::string` that are not there: https://gcc.gnu.org/PR105651
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -Wno-restrict>)
if(TRINE_SANITIZERS)
  # Instrumented code makes GCC 12 lose track of what is initialised and of how long a string's buffer is. The other builds
  # keep these warnings; here the sanitizers watch the same accesses themselves.
  target_compile_options(trine_warnings INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread>)
endif()
if(TRINE_WARNINGS_AS_ERRORS)
  target_compile_options(trine_warnings INTERFACE -Werror)
endif()
