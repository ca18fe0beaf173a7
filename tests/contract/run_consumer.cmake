# SPDX-License-Identifier: Apache-2.0
# Configures, builds and runs the consumer project in SOURCE, from nothing, below BUILD. ARGUMENTS go to its
# configuration, the model directory MODEL to the program.
cmake_minimum_required(VERSION 3.22)
file(REMOVE_RECURSE ${BUILD})
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD} ${ARGUMENTS} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${BUILD}/consumer ${MODEL} COMMAND_ERROR_IS_FATAL ANY)
