# SPDX-License-Identifier: Apache-2.0
# Configures the project in SOURCE from nothing, as a user who says nothing about tests, benches and programs, and has its
# build system install it below PREFIX. Nothing may be compiled for that.
cmake_minimum_required(VERSION 3.22)
file(REMOVE_RECURSE ${BUILD} ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD} -D CMAKE_INSTALL_PREFIX=${PREFIX} ${ARGUMENTS}
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --target install COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE compiled ${BUILD}/*.o ${BUILD}/*.a ${BUILD}/*.gch)
if(compiled)
  message(FATAL_ERROR "installing compiled ${compiled}")
endif()
