# SPDX-License-Identifier: Apache-2.0
# The golden models: configuration and manifest with a line between them.
file(GLOB manifests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/*/weights.json)
foreach(manifest IN LISTS manifests)
  get_filename_component(directory ${manifest} DIRECTORY)
  get_filename_component(model ${directory} NAME)
  file(READ ${directory}/config.json config)
  file(READ ${manifest} weights)
  file(WRITE ${seeds}/${model} "${config}\n---\n${weights}")
endforeach()
