# SPDX-License-Identifier: Apache-2.0
# The configurations of the golden models.
file(GLOB_RECURSE configs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/*/config.json)
foreach(path IN LISTS configs)
  get_filename_component(directory ${path} DIRECTORY)
  get_filename_component(model ${directory} NAME)
  file(COPY_FILE ${path} ${seeds}/${model})
endforeach()
