# SPDX-License-Identifier: Apache-2.0
# Compiled in a way that trine does not support (FLAGS), each of HEADERS gives one error, which is like EXPECTED: not the
# hundreds that follow from it.
cmake_minimum_required(VERSION 3.22)
set(ENV{LC_ALL} C)
foreach(header IN LISTS HEADERS)
  string(MAKE_C_IDENTIFIER ${header} name)
  set(source ${WORK_DIR}/${name}.cpp)
  file(WRITE ${source} "#include <${header}>\nint main() { return 0; }\n")
  execute_process(COMMAND ${COMPILER} ${FLAGS} -fsyntax-only ${INCLUDES} ${source}
                  RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(result EQUAL 0)
    message(FATAL_ERROR "${header} should not compile with ${FLAGS}")
  endif()
  string(REGEX MATCHALL "[^\n]*error:[^\n]*" found "${errors}")
  list(LENGTH found count)
  if(NOT count EQUAL 1 OR NOT found MATCHES "${EXPECTED}")
    message(FATAL_ERROR "${header}: expected one error like '${EXPECTED}', found ${count}:\n${errors}")
  endif()
endforeach()
