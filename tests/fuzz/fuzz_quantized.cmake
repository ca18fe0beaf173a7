# SPDX-License-Identifier: Apache-2.0
# The layers of tests/golden/quantized, each after the byte that chooses its layout.
file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/quantized/*.safetensors)
foreach(file IN LISTS files)
  cmake_path(GET file STEM kind)
  set(choice "@")  # scales, 0x40: blocks of 4
  if(kind MATCHES "^gptq")
    set(choice "!")  # 0x21: zero points of version 1
  elseif(kind MATCHES "^awq")
    set(choice "B")
  endif()
  file(WRITE ${seeds}/choice-${kind} "${choice}")
  execute_process(COMMAND ${CMAKE_COMMAND} -E cat ${seeds}/choice-${kind} ${file} OUTPUT_FILE ${seeds}/${kind})
  file(REMOVE ${seeds}/choice-${kind})
endforeach()
