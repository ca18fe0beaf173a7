# SPDX-License-Identifier: Apache-2.0
# The golden models: configuration, and weights.json or the header of model.safetensors, with a line between them.
file(GLOB_RECURSE configs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/*/config.json)
foreach(path IN LISTS configs)
  get_filename_component(directory ${path} DIRECTORY)
  get_filename_component(model ${directory} NAME)
  file(READ ${path} config)
  if(EXISTS ${directory}/weights.json)
    file(READ ${directory}/weights.json manifest)
  elseif(EXISTS ${directory}/model.safetensors)
    file(READ ${directory}/model.safetensors length LIMIT 2 HEX)  # little endian; no header here has 64 KiB
    string(REGEX REPLACE "(..)(..)" "0x\\2\\1" length ${length})
    math(EXPR length "${length}")
    file(READ ${directory}/model.safetensors manifest OFFSET 8 LIMIT ${length})
  else()
    continue()
  endif()
  file(WRITE ${seeds}/${model} "${config}\n---\n${manifest}")
endforeach()
