# SPDX-License-Identifier: Apache-2.0
# A file that includes the umbrella header and uses nothing has no function of it: what headers define is compiled where it
# is used.
#   cmake -D COMPILER=... -D NM=... -D FLAGS=... -D WORK_DIR=... -P nothing_unused.cmake
file(MAKE_DIRECTORY ${WORK_DIR})
file(WRITE ${WORK_DIR}/unused.cpp "#include <trine/trine.hpp>\n")
execute_process(COMMAND ${COMPILER} -std=c++20 ${FLAGS} -c ${WORK_DIR}/unused.cpp -o ${WORK_DIR}/unused.o
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${NM} --demangle --defined-only ${WORK_DIR}/unused.o OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]* [TWV] [^\n]*trine::[^\n]*" found "${symbols}")
if(found)
  list(LENGTH found count)
  list(GET found 0 first)
  message(FATAL_ERROR "expected no symbol of trine, found ${count}, such as ${first}")
endif()
