# SPDX-License-Identifier: Apache-2.0
# The router objects of the golden models of our own architecture.
file(GLOB manifests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/*/weights.json)
foreach(manifest IN LISTS manifests)
  get_filename_component(directory ${manifest} DIRECTORY)
  get_filename_component(model ${directory} NAME)
  file(READ ${directory}/config.json config)
  string(JSON router ERROR_VARIABLE none GET "${config}" moe router)
  if(NOT none)
    file(WRITE ${seeds}/${model} "${router}")
  endif()
endforeach()
