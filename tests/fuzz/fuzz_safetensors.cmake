# SPDX-License-Identifier: Apache-2.0
# Whole files, by the Python package.
file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/safetensors/*.safetensors
                                  ${PROJECT_SOURCE_DIR}/tests/golden/safetensors/sharded/*.safetensors)
file(COPY ${files} DESTINATION ${seeds})
