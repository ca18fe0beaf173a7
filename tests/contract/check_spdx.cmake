# SPDX-License-Identifier: Apache-2.0
# Every source, script and CMake file that git tracks names its licence within its first three lines.
cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND git ls-files WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE files RESULT_VARIABLE result
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT result EQUAL 0 OR files STREQUAL "")
  message("[  SKIPPED ] not a git checkout")
  return()
endif()
string(REPLACE "\n" ";" files "${files}")
list(FILTER files INCLUDE REGEX
     "\\.(hpp|inl|cpp|cmake|sh|py|cmake\\.in)$|(^|/)(CMakeLists\\.txt|run|\\.clang-format|\\.clang-tidy)$")
set(missing "")
foreach(file IN LISTS files)
  if(NOT EXISTS ${SOURCE_DIR}/${file})
    continue()  # deleted, not yet committed
  endif()
  file(STRINGS ${SOURCE_DIR}/${file} lines LIMIT_COUNT 3)
  if(NOT lines MATCHES "SPDX-License-Identifier: Apache-2.0")
    list(APPEND missing ${file})
  endif()
endforeach()
list(LENGTH files count)
if(missing)
  list(JOIN missing "\n  " missing)
  message(FATAL_ERROR "no SPDX-License-Identifier in\n  ${missing}")
endif()
message(STATUS "${count} files name their licence")
