# SPDX-License-Identifier: Apache-2.0
# SOURCE compiles as it is, and with TRINE_MISUSE defined fails with the error that its line `// error: REGEX` describes.
cmake_minimum_required(VERSION 3.22)
file(STRINGS ${SOURCE} expected REGEX "^// error: ")
string(REPLACE "// error: " "" expected "${expected}")
set(command ${COMPILER} -std=c++20 -fsyntax-only -Wall -Werror ${FLAGS} ${SOURCE})

execute_process(COMMAND ${command} RESULT_VARIABLE result ERROR_VARIABLE errors)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} should compile without TRINE_MISUSE:\n${errors}")
endif()
execute_process(COMMAND ${command} -DTRINE_MISUSE RESULT_VARIABLE result ERROR_VARIABLE errors)
if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} should not compile with TRINE_MISUSE")
endif()
if(NOT errors MATCHES "${expected}")
  message(FATAL_ERROR "${SOURCE}: expected an error like '${expected}', found\n${errors}")
endif()
