# SPDX-License-Identifier: Apache-2.0
# Whole files, by the Python package.
file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/gguf/*.gguf)
file(COPY ${files} DESTINATION ${seeds})
