# SPDX-License-Identifier: Apache-2.0
# LIBRARY exports its own function, and nothing with trine in its name: functions, vtables and typeinfo included.
cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND ${NM} -DC --defined-only ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
if(NOT symbols MATCHES "logits_of_one_token")
  message(FATAL_ERROR "${LIBRARY} does not export its own function:\n${symbols}")
endif()
string(REGEX MATCHALL "[^\n]*trine::[^\n]*" found "${symbols}")
if(found)
  list(JOIN found "\n" found)
  message(FATAL_ERROR "${LIBRARY} exports\n${found}")
endif()
